// The class of a text or of a series of numbers.

import { ask } from "./api.js";
import { el, form, percent, share } from "./dom.js";
import { sequenceField } from "./numbers.js";

export function view(model) {
	const { input, button, read } = sequenceField(model);
	const row = (one) => el("li", el("span", one.class), share(one.probability));
	const act = async (signal) => {
		const { classes } = await ask("classify", { model: model.id, ...read() }, signal);
		return [`${classes[0].class} ${percent(classes[0].probability)}`, el("ol.bars", classes.map(row))];
	};
	return form("classify", input, act, button).view;
}
