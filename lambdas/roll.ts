/** Turns runs into segments, in every partition that is marked. */
import { scheduledJob } from "./job.ts";

export const handler = scheduledJob("roll");
