// The speech routes for other programs, as /openapi.json describes them.

import { details, el, heading, json } from "./common.js";

export async function docsView(place) {
  const api = await json("GET", "/openapi.json");
  const operations = Object.entries(api.paths).flatMap(([path, methods]) => Object.entries(methods).map(([method, one]) => ({ path, method: method.toUpperCase(), ...one })));
  place.append(
    heading("For other programs"),
    el("p", { className: "lead" }, "The routes of this server, as ", el("a", { href: "/openapi.json", textContent: "OpenAPI" }), " describes them. OpenAI’s clients work unchanged."),
    ...operations.map((one) => operation(one, api)),
  );
}

function operation({ path, method, summary, requestBody, responses }, api) {
  const [type, sent] = Object.entries(requestBody?.content ?? {})[0] ?? [];
  const answer = responses["200"].content;
  const command = [`curl ${location.origin}${path}`, ...(sent ? [`-H 'Content-Type: ${type}'`, `-d '${JSON.stringify(sent.example)}'`, "-o speech.mp3"] : [])];
  return el(
    "section",
    { className: "card" },
    el("h2", {}, el("code", { textContent: `${method} ${path}` })),
    el("p", { textContent: summary }),
    path.includes("{") ? null : el("pre", { tabIndex: 0, role: "region", ariaLabel: `Example of ${method} ${path}`, textContent: command.join(" \\\n  ") }),
    sent ? details("Fields", ...fields(sent.schema, api)) : null,
    details("Answer", el("p", { className: "quiet", textContent: Object.keys(answer).join(", ") }), ...Object.values(answer).flatMap(({ schema }) => fields(schema, api))),
    details("Errors", ...Object.entries(responses).filter(([status]) => status !== "200").map(([status, { description }]) => entry(status, "", description))),
  );
}

const resolved = (schema, api) => (schema.$ref ? api.components.schemas[schema.$ref.split("/").at(-1)] : schema);

/** The fields of a schema, and of those within it. */
function fields(schema, api) {
  const found = resolved(schema, api);
  if (found.anyOf) return found.anyOf.flatMap((one) => fields(one, api));
  const own = Object.entries(found.properties ?? {}).flatMap(([name, property]) => {
    const required = found.required?.includes(name) && property.default === undefined;
    const usual = property.default === undefined || property.default === null || property.const ? "" : `default ${JSON.stringify(property.default)}`;
    return entry(name, [typeOf(property, api), usual, required ? "required" : ""].filter(Boolean).join(" · "), property.description);
  });
  if (!own.length) return [];
  return [el("h3", { textContent: found.title }), el("p", { className: "quiet", textContent: found.description }), ...own, ...Object.values(found.properties).flatMap((property) => within(property, api))];
}

function within(property, api) {
  const kinds = property.anyOf ?? [property.items ?? property];
  return kinds.filter((kind) => kind.$ref).flatMap((kind) => fields(kind, api));
}

function typeOf(property, api) {
  const kinds = (property.anyOf ?? [property]).filter((kind) => kind.type !== "null").map((kind) => resolved(kind, api));
  return kinds.map((kind) => values(property.enum ?? kind.enum, kind, api)).join(" or ");
}

function values(choices, kind, api) {
  if (choices) return choices.filter((one) => one !== null).join(", ");
  if (kind.const) return JSON.stringify(kind.const);
  if (kind.type === "array") return `list of ${typeOf(kind.items, api)}`;
  const [low, high] = [kind.minimum, kind.maximum];
  return low === undefined ? kind.type : high === undefined ? `${kind.type} from ${low}` : `${kind.type}, ${low} to ${high}`;
}

function entry(name, type, text) {
  return el("div", { className: "entry" }, el("p", {}, el("code", { textContent: name }), " ", el("small", { textContent: type })), text ? el("small", { textContent: text }) : null);
}
