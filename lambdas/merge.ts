/** Makes large segments of small ones. */
import { scheduledJob } from "./job.ts";

export const handler = scheduledJob("merge");
