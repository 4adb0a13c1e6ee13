/** Which of all groups are share groups. */
import { storageStep } from "../../log/storage-errors.ts";
import type { Storage } from "../../ports/index.ts";
import { GROUPS } from "../items/group.ts";
import { decodeState, stateKey } from "../items/state.ts";

/** Sorted. Two reads, however many there are: a range of names, and the states of them all. */
export async function shareGroupNames({ table }: Storage): Promise<string[]> {
  return storageStep("list groups", async () => {
    const names = (await table.range(GROUPS)).map(({ key }) => key.sk);
    const items = await table.getMany(names.map(stateKey));
    return names.filter((_, i) => decodeState(items[i])?.state.type === "share");
  });
}
