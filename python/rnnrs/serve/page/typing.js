// A field with suggestions, as on a phone: the likeliest words above it, the chosen one in gray behind the cursor.

import { el, percent, share, toolbar } from "./dom.js";
import { session } from "./session.js";
import { completion, wantsSpace } from "./text.js";

/** Returns the field, its elements, and `refresh`, which asks for suggestions of `count()` words. */
export function typing(model, count, escaped) {
	const row = toolbar("suggestions", "suggestions");
	const grey = el("span.grey");
	const anchor = el("span.anchor", grey);
	// The text once more, transparent: it tells where the cursor is, which browsers do not. A key lays out one line.
	const [above, before, after, below] = ["", "", "", ""].map((text) => new Text(text));
	const lines = [el("div", above), el("div", before, anchor, after), el("div", below)];
	const mirror = el("div.mirror", { "aria-hidden": "true", dir: "auto" }, lines);
	const said = el("p.hidden", { role: "status" });
	const problem = el("div.problem", { role: "alert" });
	const options = { rows: 8, dir: "auto", autocomplete: "off", autocapitalize: "off", spellcheck: "false" };
	const field = el("textarea", { "t-label": "text", "t-hint": "keyboardHint", "aria-describedby": "help", ...options });

	let offered = []; // suggestions, with how each continues the text
	let chosen = 0;
	let composing = false;
	let dismissed = false; // by Escape, until the text or the cursor changes
	let spaced = -1; // the cursor behind a space that came with an accepted word
	let timer = 0;
	let place = 0; // the cursor that suggestions were asked for

	const typed = () => field.value.slice(0, field.selectionStart);
	const fitting = (words) =>
		words.flatMap((one) => {
			const how = completion(typed(), one.word);
			return how ? [{ ...one, ...how }] : [];
		});

	const server = session(model, found, (message) => {
		problem.textContent = message;
		offer([]);
	});

	function found(suggestions, asked) {
		problem.textContent = "";
		if (asked.cursor !== field.selectionStart || asked.text !== field.value) return;
		offer(fitting(suggestions));
		clearTimeout(timer);
		timer = setTimeout(() => {
			said.textContent = offered.map(({ word, probability }) => `${word} ${percent(probability)}`).join(", ");
		}, 700); // not while somebody types
	}

	function offer(suggestions) {
		offered = suggestions;
		const focused = [...row.children].indexOf(document.activeElement);
		const button = ({ word, probability }, i) => {
			// The field keeps the focus, and a phone its keyboard.
			const events = { onclick: () => accept(i), onpointerdown: (event) => event.preventDefault() };
			const tabindex = i === Math.max(0, focused) ? 0 : -1;
			return el("button", { tabindex, ...events }, el("span.word", word), share(probability));
		};
		row.replaceChildren(...offered.map(button));
		if (focused >= 0) (row.children[focused] ?? field).focus();
		choose(0);
	}

	function choose(i) {
		chosen = i;
		[...row.children].forEach((button, n) => button.classList.toggle("chosen", n === i));
		draw();
	}

	/** Draws the rest of the chosen word at the cursor; below the line if it would cover something there. */
	function draw() {
		const { value, selectionStart: cursor } = field;
		const begin = typed().lastIndexOf("\n") + 1;
		const end = `${value}\n`.indexOf("\n", cursor);
		const fill = (node, data) => node.data !== data && (node.data = data);
		fill(above, value.slice(0, begin));
		fill(before, value.slice(begin, cursor));
		fill(after, `${value.slice(cursor, end)}\u200b`); // an empty line has a height, too
		fill(below, value.slice(end + 1));
		mirror.scrollTop = field.scrollTop;
		const one = offered[chosen];
		const shown = one && !dismissed && !composing && !field.readOnly && field.selectionEnd === cursor;
		grey.textContent = shown ? one.rest : "";
		grey.className = "grey";
		grey.style.translate = "";
		if (!shown) return;
		const room = () => mirror.clientWidth - anchor.offsetLeft - grey.offsetWidth - 8;
		if (!one.erase && room() > 0 && !value.slice(cursor, end).trim()) return;
		grey.textContent = one.word;
		grey.className = "grey below";
		grey.style.translate = `${Math.min(0, room())}px`;
	}

	function accept(i) {
		if (!offered[i]) return;
		const { word, erase, rest } = offered[i];
		const { selectionStart: begin, selectionEnd: end } = field;
		const next = field.value.slice(end, end + 1);
		const space = wantsSpace(word) && !/\s/.test(next);
		replace(begin - erase, end, space ? `${rest} ` : rest);
		const cursor = field.selectionEnd + (next === " ");
		field.setSelectionRange(cursor, cursor);
		spaced = space ? cursor : -1;
		refresh();
	}

	/** Edits the text so that the browser can undo it. */
	function replace(begin, end, added) {
		field.focus();
		field.setSelectionRange(begin, end);
		if (!document.execCommand("insertText", false, added)) field.setRangeText(added, begin, end, "end");
	}

	/** Asks for suggestions. Until they come, those that still fit can be accepted. */
	function refresh() {
		dismissed = false;
		const still = fitting(offered).filter(({ begun, rest }) => begun && rest);
		if (still.length) offer(still);
		else draw((offered = [])); // the row stays: it would flicker
		server.update(field.value, (place = field.selectionStart), 3, count());
	}

	field.addEventListener("input", ({ data }) => {
		const cursor = field.selectionStart;
		const joins = cursor === spaced + 1 && /^[.,;:!?)\]}…]$/.test(data);
		spaced = -1;
		if (joins) replace(cursor - 2, cursor, data); // the space of "word ." came with the word
		else refresh();
	});
	// An input method shows its own text at the cursor. On some phones, it composes every word.
	field.addEventListener("compositionstart", () => draw((composing = true)));
	field.addEventListener("compositionend", () => refresh((composing = false)));
	document.addEventListener("selectionchange", () => {
		if (document.activeElement !== field) return;
		if (field.selectionStart === place) draw();
		else refresh();
	});
	field.addEventListener("focus", refresh);
	field.addEventListener("scroll", draw);
	new ResizeObserver(draw).observe(field);

	field.addEventListener("keydown", (event) => {
		const { key } = event;
		if (event.isComposing || event.ctrlKey || event.altKey || event.metaKey || event.shiftKey) return;
		if (key === "Escape") {
			dismissed = true;
			draw();
			escaped();
		}
		if (dismissed || field.readOnly) return;
		const visible = grey.textContent !== "";
		const inline = visible && grey.className === "grey";
		const to = field.selectionEnd === field.value.length ? chosen + { ArrowDown: 1, ArrowUp: -1 }[key] : NaN;
		if (key === "Tab" ? !visible && !server.busy() : key === "ArrowRight" ? !inline : !offered[to]) return;
		event.preventDefault();
		if (offered[to]) choose(to);
		else if (visible) accept(chosen);
	});

	return { field, refresh, parts: [row, el("div.paper", field, mirror), said, problem] };
}
