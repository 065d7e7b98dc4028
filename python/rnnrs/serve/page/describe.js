// Descriptions of pictures: where each word looked, and the regions with their phrases.

import { ask } from "./api.js";
import { el, form, looking } from "./dom.js";
import { t } from "./strings.js";
import { alternatives, wordButtons } from "./translate.js";

const colorOf = (i) => `hsl(${40 + 67 * i} 90% 60%)`;

export function view(model) {
	let file = null;
	let image = null;
	let regions = [];
	const canvas = el("canvas", { role: "img", "t-label": "picture", hidden: "" });
	// It covers the whole area, so that pictures can be dropped there.
	const input = el("input", { type: "file", accept: "image/*", onchange: () => take(input.files[0]) });
	const drop = el("label.drop", input, el("strong", { t: "dropPicture" }), el("span", { t: "dropHint" }));
	const wanted = el("input", { type: "checkbox", checked: "" });
	const check = el("label.pair", wanted, el("span", { t: "withRegions" }));

	const act = async (signal) => {
		if (!file) throw new Error(t("dropPicture"));
		const body = new FormData();
		const fields = { model: model.id, n_best: 3, attention: true, regions: model.regions && wanted.checked };
		for (const [name, value] of Object.entries(fields)) body.set(name, value);
		body.set("picture", file);
		const answer = await ask("describe", body, signal);
		regions = answer.regions ?? [];
		draw();
		const parts = alternatives(answer.descriptions, ({ words, attention = [] }) => [
			wordButtons(words, (i) => draw(answer, attention[i])),
			el("p.note", attention.length ? { t: "attentionHint" } : {}),
		]);
		return regions.length ? [...parts, el("h2", { t: "regions" }), regionList()] : parts;
	};
	const describing = form("describe", el("div", drop, canvas), act, model.regions ? check : null);

	async function take(chosen) {
		if (!chosen) return;
		describing.abort();
		describing.result.hidden = true;
		try {
			image = await createImageBitmap(chosen);
		} catch {
			describing.problem.textContent = t("notPicture", chosen);
			return;
		}
		[file, regions, canvas.hidden] = [chosen, [], false];
		draw();
		describing.run();
	}

	/** Draws the picture, and on it what a word looked at, or the regions: all, or one above the others. */
	function draw({ grid, area } = {}, weights, region) {
		const scale = Math.min(960 / image.width, 720 / image.height);
		const scaled = ({ x, y, w, h }) => [x, y, w, h].map((side) => side * scale);
		canvas.width = image.width * scale;
		canvas.height = image.height * scale;
		const context = canvas.getContext("2d");
		context.drawImage(image, 0, 0, canvas.width, canvas.height);
		if (weights) return context.drawImage(shadow(weights, grid), ...scaled(area));
		regions.forEach((one, i) => {
			context.globalAlpha = region === undefined || region === i ? 1 : 0.25;
			for (const [color, width] of [["#000", 6], [colorOf(i), 3]]) {
				context.strokeStyle = color;
				context.lineWidth = width;
				context.strokeRect(...scaled(one));
			}
		});
	}

	function regionList() {
		const item = ({ phrase }, i) => {
			const swatch = el("span.swatch");
			swatch.style.color = colorOf(i);
			return el("li", el("button", looking(() => draw({}, null, i)), swatch, phrase));
		};
		return el("ul.tokens", { onpointerleave: () => draw(), onfocusout: () => draw() }, regions.map(item));
	}

	document.addEventListener("paste", ({ clipboardData }) => drop.isConnected && take(clipboardData.files[0]));
	return describing.view;
}

/** A picture of one pixel per cell: the darker, the less it was looked at. */
function shadow(weights, [rows, columns]) {
	const most = Math.max(...weights);
	const cells = new ImageData(columns, rows);
	weights.forEach((weight, i) => (cells.data[4 * i + 3] = 200 * (1 - weight / most)));
	const made = new OffscreenCanvas(columns, rows);
	made.getContext("2d").putImageData(cells, 0, 0);
	return made;
}
