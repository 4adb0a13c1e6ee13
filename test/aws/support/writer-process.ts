/** One process of `log.test.ts`: opens its own storage and log, runs its job, and hands the report to its parent. */
import { openStorage, type Place } from "./storage.ts";
import { type Job, openLog, runJob } from "./writer.ts";

const { place, job } = JSON.parse(process.argv[2] ?? "") as { readonly place: Place; readonly job: Job };
const storage = openStorage(place);
const log = openLog(storage);
const report = await runJob(log, job);
await log.close();
await storage.close();
process.send?.(report);
