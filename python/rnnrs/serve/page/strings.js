// The texts of the page in the reader's language. They are in strings.json, in each language.

const STRINGS = await (await fetch(new URL("strings.json", import.meta.url))).json();

export const languages = STRINGS.languages;

let chosen = navigator.languages.map((tag) => tag.slice(0, 2)).find((tag) => languages.includes(tag)) ?? "en";

export const language = () => chosen;

export function choose(tag) {
	chosen = tag;
	document.documentElement.lang = tag;
}

/** Returns a text, with values in place of {names}. */
export const t = (key, values = {}) =>
	STRINGS[key][languages.indexOf(chosen)].replace(/{(\w+)}/g, (_, name) => values[name]);

choose(chosen);
