/**
 * What we write as answers, read by two clients that have nothing of ours: each text in the message comes out of their
 * parsers, and nothing is left over. Their requests are read by us in `test/e2e/kafka`, by the server.
 */
import { createRequire } from "node:module";
import * as platformatic from "@platformatic/kafka";
import { describe, expect, it } from "vitest";
import { concatBytes } from "../../../../lib/base/bytes.ts";
import { APIS } from "../../../../lib/kafka/protocol/apis.ts";
import { writeResponse } from "../../../../lib/kafka/protocol/messages.ts";
import { sample } from "./sample.ts";
import { versionsOf } from "./support.ts";

const { requests } = createRequire(import.meta.url)("kafkajs/src/protocol/requests/index.js") as {
  requests: Record<
    string,
    { versions: string[]; protocol: (of: { version: string }) => (args: object) => { response: Decoder } }
  >;
};

interface Decoder {
  decode(bytes: Buffer): Promise<unknown>;
}

/** An answer that is no error, with nothing null: so that parsers look at all of it. */
function answer(value: unknown, name = ""): unknown {
  if (/errorCode$/i.test(name)) return 0;
  if (name === "recordErrors") return [];
  if (value instanceof Uint8Array) return new Uint8Array(0);
  if (Array.isArray(value)) return value.map((one) => answer(one));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, answer(one, key)]));
}

function textsOf(value: unknown): string[] {
  if (typeof value === "string") return value.startsWith("é") ? [value] : [];
  if (typeof value !== "object" || value === null || value instanceof Uint8Array) return [];
  return Object.values(value).flatMap(textsOf);
}

const shown = (value: unknown): string =>
  JSON.stringify(value, (_key, one) => (typeof one === "bigint" ? String(one) : one instanceof Map ? [...one] : one));

describe("answers read by kafkajs", () => {
  const THEIRS: Record<string, string> = { FindCoordinator: "GroupCoordinator" };
  const both = APIS.flatMap((api) => {
    const theirs = requests[THEIRS[api.name] ?? api.name];
    const versions = versionsOf(api).filter((version) => theirs?.versions.map(Number).includes(version));
    return versions.map((version) => [`${api.name} v${version}`, api, version] as const);
  });

  it.each(both)("%s", async (_name, api, version) => {
    const body = answer(sample(api.response, version)) as Record<string, unknown>;
    const frame = concatBytes(writeResponse(api, version, 7, body));
    const definitions = requests[THEIRS[api.name] ?? api.name]!;
    const { response } = definitions.protocol({ version: String(version) })({
      topics: [],
      groups: [],
      configs: [],
      resources: [],
    });
    const read = shown(await response.decode(Buffer.from(frame.subarray(4))));
    for (const text of textsOf(body)) expect(read).toContain(text);
  });
});

describe("answers read by @platformatic/kafka", () => {
  const modules = platformatic as unknown as Record<
    string,
    { parseResponse?: (id: number, key: number, version: number, reader: platformatic.Reader) => unknown }
  >;
  const both = APIS.flatMap((api) =>
    versionsOf(api).flatMap((version) => {
      const module = modules[`${api.name[0]?.toLowerCase()}${api.name.slice(1)}V${version}`];
      return module?.parseResponse === undefined
        ? []
        : [[`${api.name} v${version}`, api, version, module.parseResponse] as const];
    }),
  );

  it.each(both)("%s", (_name, api, version, parse) => {
    const body = answer(sample(api.response, version)) as Record<string, unknown>;
    const frame = concatBytes(writeResponse(api, version, 7, body));
    const isTagged = api.name !== "ApiVersions" && version >= api.flexibleFrom;
    const reader = platformatic.Reader.from(Buffer.from(frame.subarray(isTagged ? 5 : 4)));
    const read = shown(parse(7, api.key, version, reader));
    for (const text of textsOf(body)) expect(read).toContain(text);
    expect(reader.remaining).toBe(0);
  });
});
