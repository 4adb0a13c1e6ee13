/** Gives up committed offsets that have expired, and groups of which nothing is left. */
import { expireOffsets, OFFSETS_RETENTION_MS } from "../lib/groups/offsets/expire.ts";
import { scheduled } from "./job.ts";
import { openGround } from "./storage.ts";

const ground = openGround();
const minutes = process.env["BROKERLESS_OFFSETS_RETENTION_MINUTES"];
const retentionMs = minutes === undefined ? OFFSETS_RETENTION_MS : Number(minutes) * 60_000;

export const handler = scheduled(ground, "expire", (run) => expireOffsets({ ...ground, retentionMs }, run));
