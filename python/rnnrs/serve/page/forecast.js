// The continuation of a series of numbers, drawn behind it.

import { ask } from "./api.js";
import { colored, digits, el, form, labeled, number } from "./dom.js";
import { numberField } from "./numbers.js";
import { t } from "./strings.js";

const [HEIGHT, LEFT, RIGHT, TOP, BOTTOM] = [260, 56, 10, 10, 26];

export function view(model) {
	const { input, button, read } = numberField(model.columns.length);
	const steps = el("input", { type: "number", min: 1, max: 10000, value: model.horizon });
	const drawing = el("div");
	let draw = () => {};
	new ResizeObserver(() => draw()).observe(drawing); // also when it becomes visible

	const act = async (signal) => {
		const series = read();
		const body = { model: model.id, series, steps: Number(steps.value) || null };
		const { forecast } = await ask("forecast", body, signal);
		// Of a long series, the end is drawn.
		const past = series.slice(-Math.max(120, 3 * forecast.length)).map((row) => [row].flat());
		const label = t("chart", { past: past.length, n: forecast.length });
		draw = () => {
			const made = chart(past, forecast, series.length, Math.max(200, drawing.clientWidth));
			made.ariaLabel = label;
			drawing.replaceChildren(made);
		};
		draw();
		return [label, drawing, table(forecast, series.length, model.columns)];
	};
	return form("forecast", input, act, button, labeled("steps", steps)).view;
}

function chart(past, forecast, length, width) {
	const all = [...past, ...forecast];
	const [low, high] = [Math.min(...all.flat()), Math.max(...all.flat())];
	const [right, bottom] = [width - RIGHT, HEIGHT - BOTTOM];
	const x = (step) => LEFT + ((right - LEFT) * step) / (all.length - 1);
	const y = (value) => bottom + ((TOP - bottom) * (value - low)) / (high - low || 1);
	const now = past.length - 1;
	const line = (from, to, name) => (_, column) => {
		const points = all.slice(from, to).map((row, i) => `${x(from + i)},${y(row[column])}`);
		return colored(el(`polyline.${name}`, { points: points.join(" ") }), column);
	};
	const rule = (part) => {
		const at = y(low + (part / 4) * (high - low));
		const label = digits(low + (part / 4) * (high - low), 4);
		const text = el("text", { x: LEFT - 6, y: at + 4, "text-anchor": "end" }, label);
		return [el("line", { x1: LEFT, x2: right, y1: at, y2: at }), text];
	};
	const mark = (step, anchor) =>
		el("text", { x: x(step), y: HEIGHT - 8, "text-anchor": anchor }, number(length - now + step));
	return el(
		"svg",
		{ role: "img", width, height: HEIGHT },
		el("rect", { x: x(now), y: TOP, width: right - x(now), height: bottom - TOP }),
		[0, 1, 2, 3, 4].map(rule).flat(),
		past[0].map(line(0, past.length, "past")),
		past[0].map(line(now, all.length, "ahead")),
		[mark(0, "start"), mark(all.length - 1, "end"), x(all.length - 1) - x(now) > 50 ? mark(now, "middle") : null],
	);
}

function table(forecast, length, columns) {
	const cell = (value) => el("td", digits(value, 5));
	const row = (values, i) => el("tr", el("th", { scope: "row" }, number(length + i + 1)), values.map(cell));
	const nameOf = (name) => (columns.length > 1 ? name : t("forecastAnswer"));
	const names = columns.map((name, i) => colored(el("th", { scope: "col" }, nameOf(name)), i));
	const head = el("thead", el("tr", el("th", { scope: "col", t: "steps" }), names));
	return el("div.scroll", { tabindex: 0 }, el("table", head, el("tbody", forecast.map(row))));
}
