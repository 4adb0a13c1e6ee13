/**
 * The list of groups. Key `GROUPS`, the group's name: `v` format version.
 *
 * G1  It is put in one transaction with the group's `STATE`, and deleted only while there is none: a group is always
 *     listed. A name without a state is of a group that is being deleted; it reads as absent, and the retention of offsets
 *     takes away what is left of it.
 */
import { BrokerlessError } from "../../base/errors.ts";
import { FORMAT_VERSION } from "../../log/items/format.ts";
import type { Delete, Key, Put } from "../../ports/index.ts";
import { textBytes } from "../../ports/values.ts";

export const GROUPS = "GROUPS";

const NAME_MOST_BYTES = 249;

export function groupPk(group: string): string {
  return `G#${group}`;
}

function groupKey(group: string): Key {
  return { pk: GROUPS, sk: group };
}

export function putGroup(group: string): Put {
  return { op: "put", key: groupKey(group), item: { v: FORMAT_VERSION } };
}

export function deleteGroup(group: string): Delete {
  return { op: "delete", key: groupKey(group) };
}

/** Throws `invalid_group` unless the name is 1 to 249 bytes of Unicode. */
export function checkGroupName(group: string): void {
  const sizeBytes = textBytes(group);
  const wrong =
    sizeBytes === 0
      ? "is empty"
      : !group.isWellFormed()
        ? "is not Unicode"
        : sizeBytes > NAME_MOST_BYTES
          ? `is ${sizeBytes} bytes; at most ${NAME_MOST_BYTES} are taken`
          : undefined;
  if (wrong !== undefined) {
    throw new BrokerlessError("invalid_group", `group name "${group.slice(0, 60)}" ${wrong}`, { field: "group" });
  }
}
