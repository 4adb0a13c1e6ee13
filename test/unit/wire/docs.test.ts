import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { createShareGroups } from "../../../lib/groups/share/share.ts";
import { nodeCodecs } from "../../../lib/kafka/codecs/node.ts";
import { apiVersions } from "../../../lib/kafka/protocol/api/api-versions.ts";
import { createTransactions } from "../../../lib/transactions/transactions.ts";
import { groupsOverMemory } from "../groups/support.ts";
import { wireOverMemory } from "./support.ts";

it("docs/kafka.md has every API in the versions that are served, and no other", async () => {
  const text = readFileSync(new URL("../../../docs/kafka.md", import.meta.url), "utf8");
  const documented = [...text.matchAll(/^\| \w+ \| (\d+) \| (\d+)(?: to (\d+))? \|/gm)].map(([, key, first, last]) => ({
    apiKey: Number(key),
    minVersion: Number(first),
    maxVersion: Number(last ?? first),
  }));
  const { log, parts, groups } = groupsOverMemory();
  const transactions = createTransactions({ ...parts, groups });
  const shares = createShareGroups({ ...parts, codecs: nodeCodecs });
  const { ask } = wireOverMemory({}, { log, groups, transactions: async () => transactions, shares: async () => shares });
  const { apiKeys } = await ask(apiVersions, 3, { clientSoftwareName: "docs", clientSoftwareVersion: "1" });
  const served = apiKeys.map(({ apiKey, minVersion, maxVersion }) => ({ apiKey, minVersion, maxVersion }));
  expect(documented).toEqual(served.toSorted((a, b) => a.apiKey - b.apiKey));
});
