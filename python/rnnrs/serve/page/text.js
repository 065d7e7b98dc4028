// Positions in texts, and suggestions as continuations of a text.

/** The number of code points before a place. The server counts those, JavaScript UTF-16 units. */
export const points = (text, units) =>
	units - (text.slice(0, units).match(/[\ud800-\udbff][\udc00-\udfff]/g)?.length ?? 0);

/** The number of UTF-16 units of the first code points. */
export const units = (text, points) => [...text].slice(0, points).join("").length;

const endsPair = (unit) => unit >= "\udc00" && unit <= "\udfff";

/** Returns [begin, end, new text] of the one edit that makes a text of another, in UTF-16 units. */
export function difference(before, after) {
	const shorter = Math.min(before.length, after.length);
	let [begin, same] = [0, 0];
	while (begin < shorter && before[begin] === after[begin]) begin++;
	if (begin && (endsPair(before[begin]) || endsPair(after[begin]))) begin--;
	while (same < shorter - begin && before.at(-1 - same) === after.at(-1 - same)) same++;
	if (endsPair(before[before.length - same])) same--;
	return [begin, before.length - same, after.slice(begin, after.length - same)];
}

/** Signs after which a word follows without a space. */
const OPENING = /[\s([{«“‘¿¡"'—/-]$/u;
/** Scripts that are written without spaces. */
const SPACELESS = /[\p{sc=Han}\p{sc=Hira}\p{sc=Kana}\p{sc=Thai}\p{sc=Laoo}\p{sc=Khmr}\p{sc=Mymr}。、！？「」]$/u;
const LETTER = /[\p{L}\p{M}\p{N}]$/u;

export const wantsSpace = (word) => !SPACELESS.test(word);
const inWord = (text) => LETTER.test(text) && wantsSpace(text);
const folded = (text) => text.normalize("NFC").toLowerCase().replace(/[’‘ʼ＇]/g, "'");

/** Returns how a word continues a text: the units to erase, the rest, whether it was begun; null if it does not. */
export function completion(before, word) {
	const end = before.slice(-60 - word.length);
	for (let n = Math.min(end.length, word.length); n > 0; n--) {
		const [left, begun] = [end.slice(0, -n), end.slice(-n)];
		// "go" does not continue the "g" of "bag".
		if (folded(word.slice(0, n)) !== folded(begun) || inWord(left)) continue;
		return word.startsWith(begun)
			? { erase: 0, rest: word.slice(n), begun: true }
			: { erase: n, rest: word, begun: true };
	}
	if (inWord(end)) return null;
	const joined = !end || OPENING.test(end) || !wantsSpace(end);
	return { erase: 0, rest: joined ? word : ` ${word}`, begun: false };
}
