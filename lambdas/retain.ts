/** Gives up what the topics' retention says. */
import { ROLL_POLICY, retain } from "../lib/log/jobs/index.ts";
import { jobHandler } from "./job.ts";
import { openGround } from "./storage.ts";

const { storage, clock } = openGround();

export const handler = jobHandler("retain", clock, (untilMs) =>
  retain({ storage, clock, graceMs: ROLL_POLICY.graceMs }, untilMs),
);
