// The list of models, and the view of the chosen one. The address keeps the choice: #name.

import { ask } from "./api.js";
import { el, percent, sayAll } from "./dom.js";
import { choose, language, languages, t } from "./strings.js";

const [skip, select, nav, main, problem] = document.querySelectorAll("main, nav, #problem, #language, #skip");
const opened = new Map(); // name → its view, with what was typed there
let models = [];
let shown = null;

const hashOf = ({ id }) => `#${encodeURIComponent(id)}`;
const chosen = () => models.find((model) => hashOf(model) === location.hash) ?? models[0];
const isWaiting = ({ status }) => status !== "ready" && status !== "failed";

/** Asks for the models, and again while one of them is not ready. */
async function watch() {
	try {
		models = (await ask("v1/models")).data;
		problem.textContent = "";
		await show();
		if (models.some(isWaiting)) setTimeout(watch, 1000);
	} catch (error) {
		problem.textContent = error.message;
		if (error.message !== t("tokenNeeded")) setTimeout(watch, 3000);
	}
}

async function show() {
	list();
	const model = chosen();
	if (!model) return;
	const made = model.status === "ready" ? await viewOf(model) : waiting(model);
	if (model !== chosen() || made === shown) return; // another one was chosen
	document.title = `${model.id} · rnnrs`;
	shown?.remove();
	main.append((shown = made));
}

function list() {
	const links = () => [...nav.querySelectorAll("a")];
	const focused = links().indexOf(document.activeElement);
	const link = (model) => {
		const attributes = { href: new URL(hashOf(model), location), "aria-current": model === chosen() && "page" };
		const status = el("span.status", model.status === "ready" ? "" : t(model.status));
		return el("a", attributes, el("span.name", model.id), status, el("span.kind", { t: model.verbs[0] }));
	};
	const made = el("ul", models.map((model) => el("li", link(model))));
	if (nav.firstChild?.isEqualNode(made)) return;
	nav.replaceChildren(made);
	links()[focused]?.focus();
	nav.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest" });
}

async function viewOf(model) {
	const [verb] = model.verbs;
	const { view } = await import(`./${verb === "suggest" ? "keyboard" : verb}.js`);
	if (!opened.has(model.id)) opened.set(model.id, section(model, el("p.about", { t: `${verb}About` }), view(model)));
	return opened.get(model.id);
}

const section = (model, ...parts) =>
	el("section.view", { "aria-labelledby": "title" }, el("h1", { id: "title" }, model.id), ...parts);

function waiting(model) {
	const { status, progress, message } = model;
	const bar = isWaiting(model) ? el("progress", { max: 1, value: progress, "t-label": status }) : null;
	const note = [progress && percent(progress), message].filter(Boolean).join(" · ");
	return section(model, el("div.card", el("h2", { t: status }), bar, el("p.note", note)));
}

const nameOf = (tag) => new Intl.DisplayNames(tag, { type: "language" }).of(tag);
select.append(...languages.map((tag) => el("option", { value: tag, lang: tag }, nameOf(tag))));
select.value = language();
select.addEventListener("change", () => {
	choose(select.value);
	sayAll();
	list();
});
skip.addEventListener("click", (event) => {
	event.preventDefault(); // the address keeps the model
	main.focus();
});
window.addEventListener("hashchange", show);
sayAll();
watch();
