/** Gives up what the topics' retention says. */
import { scheduledJob } from "./job.ts";

export const handler = scheduledJob("retain");
