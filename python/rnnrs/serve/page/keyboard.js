// Typing with suggestions; the model goes on writing, or says how likely the text is.

import { ask, stream } from "./api.js";
import { action, choice, el, labeled } from "./dom.js";
import { scored } from "./score.js";
import { typing } from "./typing.js";

export function view(model) {
	const words = choice([1, 2, 3].map((n) => [n, `words${n}`]), { onchange: () => refresh() });
	const { field, refresh, parts } = typing(model, () => Number(words.value), () => writing.abort());

	const writing = action("goOn", async (signal) => {
		let cursor = field.selectionEnd;
		const prompt = field.value.slice(0, cursor).toWellFormed();
		const body = { model: model.id, prompt, max_tokens: 200, temperature: 0.8 };
		field.readOnly = true;
		field.focus();
		try {
			for await (const { choices } of stream("v1/completions", body, signal)) {
				const added = choices[0]?.text ?? "";
				field.setRangeText(added, cursor, cursor, "end");
				cursor += added.length;
				field.scrollTop = field.scrollHeight;
			}
		} finally {
			field.readOnly = false;
			refresh();
		}
	});

	const result = el("div.card", { hidden: "" });
	const scoring = action("howLikely", async (signal) => {
		const text = field.value.toWellFormed();
		const score = await ask("score", { model: model.id, text }, signal);
		result.replaceChildren(...scored(text, score, model.level));
		result.hidden = false;
	});
	scoring.button.classList.remove("main");
	const buttons = [writing.button, writing.stop, scoring.button, scoring.stop];
	const help = el("p.note", { id: "help", t: "keyboardHelp" });
	const actions = el("div.actions", buttons, labeled("suggest", words));
	return el("div", el("div.card", parts, help, actions, writing.problem, scoring.problem), result);
}
