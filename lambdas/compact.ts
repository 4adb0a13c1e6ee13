/** Keeps of each key the latest record, in the topics whose policy says so. */
import { scheduledJob } from "./job.ts";

export const handler = scheduledJob("compact");
