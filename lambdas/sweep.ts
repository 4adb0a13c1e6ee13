/** Deletes what nothing refers to. */
import { scheduledJob } from "./job.ts";

export const handler = scheduledJob("sweep");
