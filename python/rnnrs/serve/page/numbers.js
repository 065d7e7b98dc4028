// Sequences as input: a text, or pasted numbers, one time step per line.

import { el, labeled, textField } from "./dom.js";
import { t } from "./strings.js";

/** Returns the field of a model of texts or of numbers, a button for it, and a function that reads it. */
export function sequenceField(model) {
	if (model.input === "text") {
		const { field, input } = textField();
		return { input, read: () => ({ text: field.value }) };
	}
	const { read, ...others } = numberField(model.input_size);
	return { ...others, read: () => ({ sequence: read() }) };
}

export function numberField(columns) {
	const field = el("textarea.numbers", { rows: 6, spellcheck: "false", "t-hint": "numbersHint" });
	const button = el("button", { t: "example", onclick: () => (field.value = example(columns)) });
	return { input: labeled("numbers", field), button, read: () => parse(field.value) };
}

/** Returns [number, …], or [[number, …], …] where the lines have several. */
function parse(text) {
	const numbers = text.split("\n").map((line, i) =>
		(line.match(/[^\s,;]+/g) ?? []).map((got) => {
			if (!Number.isFinite(Number(got))) throw new Error(t("notNumber", { line: i + 1, got }));
			return Number(got);
		}),
	);
	const steps = numbers.filter((row) => row.length);
	if (!steps.length) throw new Error(t("noNumbers"));
	return steps.length === 1 || steps.every((row) => row.length === 1) ? steps.flat() : steps;
}

/** A season with a trend. */
function example(columns) {
	const value = (step, i) => (20 + step / 8 + 6 * Math.sin(step / 2 + 2 * i)).toFixed(2);
	const row = (_, step) => Array.from({ length: columns }, (_, i) => value(step, i)).join(", ");
	return Array.from({ length: 60 }, row).join("\n");
}
