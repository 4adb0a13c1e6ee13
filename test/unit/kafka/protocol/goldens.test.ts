/**
 * Every message in every version against Kafka's own classes. `messages.golden.json` was made once: the messages of
 * `sample.ts` as JSON (fields of the version alone, bytes as base64), read by the `...DataJsonConverter` of kafka-clients
 * 4.1.0 (what it has dropped: 3.9.1; share groups: 4.3.1), written by the message's `write`, as base64.
 */
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { concatBytes } from "../../../../lib/base/bytes.ts";
import { APIS } from "../../../../lib/kafka/protocol/apis.ts";
import { compileShape } from "../../../../lib/kafka/protocol/compile.ts";
import { Reader } from "../../../../lib/kafka/protocol/reader.ts";
import { Writer } from "../../../../lib/kafka/protocol/writer.ts";
import { sample } from "./sample.ts";
import { versionsOf } from "./support.ts";

const goldens: Readonly<Record<string, string>> = JSON.parse(
  readFileSync(new URL("messages.golden.json", import.meta.url), "utf8"),
);

it.each(APIS.map((api) => [api.name, api] as const))("%s is written and read as Kafka does", (name, api) => {
  for (const message of ["request", "response"] as const) {
    for (const version of versionsOf(api)) {
      const golden = Buffer.from(goldens[`${name} ${message} v${version}`] as string, "base64");
      const codec = compileShape(api[message], version, version >= api.flexibleFrom);
      const body = sample(api[message], version);
      const writer = new Writer();
      codec.write(writer, body);
      expect(Buffer.from(concatBytes(writer.finish())).toString("hex"), `${message} v${version}`).toBe(golden.toString("hex"));
      const reader = new Reader(new Uint8Array(golden));
      expect(codec.read(reader), `${message} v${version}`).toEqual(body);
      expect(reader.at).toBe(golden.byteLength);
    }
  }
});
