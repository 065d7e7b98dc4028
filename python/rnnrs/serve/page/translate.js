// Translations, their alternatives, and where the model looked for each word; summaries share this.

import { ask } from "./api.js";
import { el, form, looking, percent, share, textField, toolbar } from "./dom.js";
import { t } from "./strings.js";

export const view = (model) => writtenView(model, "translate", "translations");

/** A view that sends a text and shows what the model wrote for it. In summaries, copied words are marked. */
export function writtenView(model, verb, answers) {
	const { field, input } = textField();
	const act = async (signal) => {
		const body = { model: model.id, text: field.value, n_best: 5, attention: true };
		const found = (await ask(verb, body, signal))[answers];
		return alternatives(found, (one) => attended(one, verb === "summarize"));
	};
	return form(verb, input, act).view;
}

/** Returns the first text, and elements: the chosen text with its details, and all texts to choose from. */
export function alternatives(found, detailsOf) {
	const answer = el("p.answer");
	const details = el("div");
	const pick = (one) => {
		answer.textContent = one.text;
		details.replaceChildren(...detailsOf(one));
	};
	pick(found[0]);
	const name = `alternatives-${Math.random()}`;
	// Probabilities of texts of different lengths do not compare; their scores do.
	const weights = found.map(({ score }) => Math.exp(score - found[0].score));
	const sum = weights.reduce((a, b) => a + b);
	const row = (one, i) => {
		const radio = el("input", { type: "radio", name, checked: i === 0, onchange: () => pick(one) });
		return el("label.choice", radio, el("span.word", one.text), share(weights[i] / sum));
	};
	const others = el("fieldset", el("legend", { t: "alternatives" }), found.map(row));
	return [found[0].text, answer, details, ...(found.length > 1 ? [others] : [])];
}

/** The words, the source, and how one depends on the other. */
function attended({ source, words, attention, cut }, marksCopied) {
	const names = source.map((word) => word.trim() || "␣");
	const sources = names.map((word) => el("span.token", word));
	const caption = el("p.note", { role: "status" });
	const show = (i) => {
		const weights = attention[i] ?? [];
		const most = Math.max(...weights);
		sources.forEach((element, j) => {
			element.style.setProperty("--weight", `${(40 * weights[j]) / most || 0}%`);
		});
		const order = weights.map((weight, j) => [weight, names[j]]).sort(([a], [b]) => b - a);
		const first = order.slice(0, 3).map(([weight, word]) => `${word} ${percent(weight)}`);
		caption.textContent = i === null ? t("attentionHint") : `${words[i]} ← ${first.join(", ")}`;
	};
	if (attention) show(null);
	return [
		cut && el("p.note", { t: "cut" }),
		attention && el("h2", { t: "attention" }),
		wordButtons(words, attention ? show : () => {}, marksCopied ? source : []),
		attention && el("p.tokens", sources),
		caption,
		marksCopied && el("p.note", { t: "copiedNote" }),
	].filter(Boolean);
}

/** A row of words; `show` gets the number of the one under the pointer or with the focus, or null. */
export function wordButtons(words, show, copied = []) {
	const row = toolbar("words", "tokens");
	const button = (word, i) => {
		const made = el("button.token", { tabindex: i ? -1 : 0, ...looking(() => show(i)) }, word);
		if (!copied.includes(word)) return made;
		made.classList.add("copied");
		made.append(el("span.hidden", ` ${t("copied")}`));
		return made;
	};
	row.append(...words.map(button));
	row.addEventListener("pointerleave", () => show(null));
	row.addEventListener("focusout", () => show(null));
	return row;
}
