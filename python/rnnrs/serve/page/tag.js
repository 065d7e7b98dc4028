// The tag of each token of a text, or of each time step of a series.

import { ask } from "./api.js";
import { colored, el, form, percent } from "./dom.js";
import { sequenceField } from "./numbers.js";

export function view(model) {
	const { input, button, read } = sequenceField(model);
	const act = async (signal) => {
		const asked = read();
		const { tokens } = await ask("tag", { model: model.id, ...asked }, signal);
		const tags = [...new Set(tokens.map(({ tag }) => tag))];
		const nameOf = ({ token }, i) => token ?? [asked.sequence[i]].flat().join(" ");
		const item = (one, i) => {
			const tag = [el("span.tag", one.tag), el("span.share", percent(one.probability))];
			return colored(el("li", el("span.word", nameOf(one, i)), tag), tags.indexOf(one.tag));
		};
		const said = tokens.map((one, i) => `${nameOf(one, i)} ${one.tag}`).join(", ");
		return [said, el("ol.tags", tokens.map(item))];
	};
	return form("tag", input, act, button).view;
}
