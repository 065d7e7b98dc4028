// Elements, the texts on them, and numbers as people read them.

import { language, t } from "./strings.js";

const SVG = ["svg", "line", "polyline", "rect", "text"];

/** Attributes that name a text of strings.json, and where it goes. */
const TEXTS = { "data-t": "textContent", "data-t-label": "ariaLabel", "data-t-hint": "placeholder" };

/** Makes an element: el("p.note", {id: "a", onclick: act, t: "send"}, …). False and null leave an attribute out. */
export function el(tag, ...children) {
	const attributes = children[0]?.constructor === Object ? children.shift() : {};
	const [name, ...classes] = tag.split(".");
	const space = SVG.includes(name) ? "http://www.w3.org/2000/svg" : "http://www.w3.org/1999/xhtml";
	const made = document.createElementNS(space, name);
	if (classes.length) made.classList.add(...classes);
	for (const [key, value] of Object.entries(attributes)) {
		if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
		else if (value !== false && value != null) made.setAttribute(key.replace(/^t(?=-|$)/, "data-t"), value);
	}
	made.append(...children.flat().filter((child) => child != null));
	say(made);
	return made;
}

function say(element) {
	for (const [name, property] of Object.entries(TEXTS)) {
		if (element.hasAttribute(name)) element[property] = t(element.getAttribute(name));
	}
}

/** Puts all texts of the page into the chosen language. */
export const sayAll = () => document.querySelectorAll("[data-t], [data-t-label], [data-t-hint]").forEach(say);

export const number = (value, options) => new Intl.NumberFormat(language(), options).format(value);
export const digits = (value, most) => number(value, { maximumSignificantDigits: most });
export const percent = (p) => number(p, { style: "percent", maximumSignificantDigits: p < 0.1 ? 2 : 3 });

/** A probability as a number and as a bar, which screen readers skip. */
export function share(p) {
	const fill = el("span");
	fill.style.width = `${p * 100}%`;
	return [el("span.share", percent(p)), el("span.bar", { "aria-hidden": "true" }, fill)];
}

/** Gives an element the color of a number. */
export function colored(element, i) {
	element.classList.add("hue");
	element.style.setProperty("--hue", 270 + 67 * i);
	return element;
}

export const labeled = (key, control) => el("label.field", el("span", { t: key }), control);

export const choice = (options, attributes = {}) =>
	el("select", attributes, options.map(([value, key]) => el("option", { value, t: key })));

/** Listeners for an element that is pointed at, has the focus, or is tapped. */
export const looking = (show) => ({ onpointerenter: show, onfocus: show, onclick: show });

/** An action, one at a time, with its button, one that stops it, and a place for its problem. */
export function action(key, act) {
	let running = null;
	const abort = () => {
		running?.abort();
		running = null;
	};
	const problem = el("div.problem", { role: "alert" });
	const button = el("button.main", { t: key, onclick: () => run() });
	const stop = el("button", { t: "stop", hidden: "", onclick: abort });

	async function run() {
		if (running) return;
		const own = (running = new AbortController());
		problem.textContent = "";
		button.ariaDisabled = "true";
		const timer = setTimeout(() => (stop.hidden = false), 200); // quick answers come without a flicker
		try {
			await act(own.signal);
		} catch (error) {
			if (!own.signal.aborted) problem.textContent = error.message;
		}
		clearTimeout(timer);
		if (running && running !== own) return; // it was stopped, and another one began
		if (stop.matches(":focus")) button.focus();
		stop.hidden = true;
		button.ariaDisabled = running = null;
	}
	return { run, abort, problem, button, stop };
}

/** A card with an input and the button of its action, and one with the result.
 * @param act - returns what a screen reader is to say, and the elements of the result. */
export function form(verb, input, act, ...controls) {
	const said = el("p.hidden", { role: "status" });
	const result = el("div.card", { hidden: "" });
	const doing = action(verb, async (signal) => {
		const [announced, ...parts] = await act(signal);
		result.replaceChildren(el("h2", { t: `${verb}Answer` }), ...parts);
		result.hidden = false;
		said.textContent = announced;
	});
	input.addEventListener("keydown", ({ key, ctrlKey, metaKey }) => {
		if (key === "Enter" && (ctrlKey || metaKey)) doing.run();
	});
	const actions = el("div.actions", doing.button, doing.stop, controls);
	return { ...doing, result, view: el("div", el("div.card", input, actions, doing.problem), said, result) };
}

/** A field for a text, and its label. */
export function textField(rows = 4) {
	const field = el("textarea", { rows, "t-hint": "textHint" });
	return { field, input: labeled("text", field) };
}

/** A row of buttons of which one is reached by Tab, and the others by the arrow keys. */
export function toolbar(key, name) {
	const row = el(`div.${name}`, { role: "toolbar", "t-label": key });
	row.addEventListener("keydown", (event) => {
		const buttons = [...row.children];
		const to = buttons.indexOf(document.activeElement) + { ArrowRight: 1, ArrowLeft: -1 }[event.key];
		if (!buttons[to]) return;
		event.preventDefault();
		buttons.forEach((button, i) => (button.tabIndex = i === to ? 0 : -1));
		buttons[to].focus();
	});
	return row;
}
