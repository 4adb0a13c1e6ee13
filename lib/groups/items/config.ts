/**
 * The configs of a group. Key `GROUPCONFIGS`, the group's name: `v` format version, `k` counter, `c` configs that were set,
 * name to text.
 *
 * F1  They are there before the group and after it: as in Kafka they belong to the name.
 * F2  `k` grows with every change, and every change is on condition that `k` is what was read. The item stays when the last
 *     config goes back to its default, so that a counter never means two states.
 */
import { checkFormat, FORMAT_VERSION } from "../../log/items/format.ts";
import type { Item, Key, Put } from "../../ports/index.ts";

export const GROUP_CONFIGS = "GROUPCONFIGS";

export interface StoredConfigs {
  readonly configs: Readonly<Record<string, string>>;
  /** 0: nothing was ever set. */
  readonly version: number;
}

export function configKey(group: string): Key {
  return { pk: GROUP_CONFIGS, sk: group };
}

export function decodeConfigs(group: string, item: Item | undefined): StoredConfigs {
  if (item === undefined) return { configs: {}, version: 0 };
  checkFormat(item, `the configs of group "${group}"`);
  return { configs: item["c"] as Record<string, string>, version: item["k"] as number };
}

export function putConfigs(group: string, configs: Readonly<Record<string, string>>, before: StoredConfigs): Put {
  return {
    op: "put",
    key: configKey(group),
    item: { v: FORMAT_VERSION, k: before.version + 1, c: { ...configs } },
    when: [before.version === 0 ? { item: "absent" } : { path: "k", is: "=", value: before.version }],
  };
}
