/** Turns runs into segments, in every partition that is marked. */
import { ROLL_POLICY, roll } from "../lib/log/jobs/index.ts";
import { jobHandler } from "./job.ts";
import { openGround } from "./storage.ts";

const ground = openGround();

export const handler = jobHandler("roll", ground.clock, (untilMs) => roll({ ...ground, policy: ROLL_POLICY }, untilMs));
