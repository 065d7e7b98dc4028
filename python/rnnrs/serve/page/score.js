// How likely a text is, with its unlikely words marked.

import { digits, el, number } from "./dom.js";
import { t } from "./strings.js";

/** Words below these probabilities are marked. */
const [RARE, VERY_RARE] = [1e-3, 1e-5];

export function scored(text, { log_prob, perplexity, is_bound, tokens }, level) {
	const words = wordsOf(text, tokens, level === "char" || level === "subword");
	const rare = words.filter(({ p }) => p < RARE).sort((a, b) => a.p - b.p);
	const mark = ({ word, p }) => (p < RARE ? el(p < VERY_RARE ? "mark.very" : "mark", word) : word);
	const oneIn = ({ word, p }) => el("li", `${word}: ${t("oneIn", { n: digits(1 / p, 2) })}`);
	const sums = { log: number(log_prob, { maximumFractionDigits: 2 }), perplexity: digits(perplexity, 3) };
	return [
		el("p.marked", words.flatMap((one) => [mark(one), one.space])),
		el("p.note", { role: "status" }, t(is_bound ? "scoreAtLeast" : "score", sums)),
		el("h2", t(rare.length ? "leastLikely" : "noRare")),
		el("ul", rare.slice(0, 5).map(oneIn)),
	];
}

/** Finds the tokens in the text; what has none is unknown to the model. Parts of words are joined. */
function wordsOf(text, tokens, spelled) {
	const words = [{ word: "", p: 1, space: "" }];
	const lower = text.toLowerCase(); // as tokens may be
	let at = 0;
	const add = (piece, p) => {
		const [, lead, word, space] = /^(\s*)(.*?)(\s*)$/s.exec(piece);
		words.at(-1).space += lead;
		if (word && !(spelled && words.at(-1).space === "")) words.push({ word: "", p: 1, space: "" });
		const last = words.at(-1);
		last.word += word;
		if (last.word && (word || p)) last.p *= p;
		last.space += space;
	};
	for (const { token, log_prob } of tokens) {
		const found = token ? lower.indexOf(token.toLowerCase(), at) : -1;
		if (found < 0) continue;
		if (found > at) add(text.slice(at, found), 0);
		at = found + token.length;
		add(text.slice(found, at), Math.exp(log_prob));
	}
	add(text.slice(at), 0);
	return words.filter(({ word, space }) => word || space);
}
