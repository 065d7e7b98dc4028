// Summaries: written ones with the copied words marked, or the chosen sentences marked in the text.

import { ask } from "./api.js";
import { choice, el, form, labeled, textField } from "./dom.js";
import { t } from "./strings.js";
import { units } from "./text.js";
import { writtenView } from "./translate.js";

/** How long a summary is to be: the field of the request, the largest value and the first one. */
const LENGTHS = { sentences: [100, 3], words: [10000, 100], share: [100, 25] };

export const view = (model) =>
	model.kind === "extractive_summarizer" ? chosenView(model) : writtenView(model, "summarize", "summaries");

function chosenView(model) {
	const { field, input } = textField(8);
	const unitNames = Object.keys(LENGTHS).map((name) => [name, `${name}Unit`]);
	const unit = choice(unitNames, { "t-label": "lengthUnit", onchange: () => limit() });
	const length = el("input", { type: "number", min: 1 });
	const limit = () => ([length.max, length.value] = LENGTHS[unit.value]);
	limit();
	const act = async (signal) => {
		const text = field.value;
		const limit = length.value / (unit.value === "share" ? 100 : 1);
		const { summary, sentences } = await ask("summarize", { model: model.id, text, [unit.value]: limit }, signal);
		const answer = el("p.answer", summary || t("noSummary"));
		return [summary, answer, el("h2", { t: "kept" }), el("p.marked", marked(text, sentences))];
	};
	return form("summarize", input, act, labeled("length", length), unit).view;
}

/** The pieces of a text, with its kept sentences marked. */
function marked(text, sentences) {
	let at = 0;
	const pieces = sentences.flatMap(({ begin, end }) => {
		const [from, to] = [units(text, begin), units(text, end)];
		const before = text.slice(at, from);
		at = to;
		return [before, el("mark.kept", text.slice(from, to))];
	});
	return [...pieces, text.slice(at)];
}
