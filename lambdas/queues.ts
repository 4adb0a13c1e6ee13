/** Takes up what nobody has asked for in queues: locks that ran out, dead letters, topics that are gone. */
import { tendQueues } from "../lib/groups/share/job.ts";
import { createShareGroups } from "../lib/groups/share/share.ts";
import { nodeCodecs } from "../lib/kafka/codecs/node.ts";
import { createLog } from "../lib/log/index.ts";
import { pollingDoorbell } from "../lib/storage/polling/doorbell.ts";
import { scheduled } from "./job.ts";
import { openGround } from "./storage.ts";

const ground = openGround();
const parts = { ...ground, codecs: nodeCodecs, doorbell: pollingDoorbell(ground.clock) };
const shares = createShareGroups({ ...parts, log: createLog(parts) });

export const handler = scheduled(ground, "queues", (run) => tendQueues(ground, shares, run));
