/** A real server in this process, with nothing on disk. */
import { startServer } from "../../../lib/server/start.ts";
import type { RunningServer } from "../../../lib/server/types.ts";

export function memoryServer(): Promise<RunningServer> {
  return startServer({ storage: "memory", http: { host: "127.0.0.1", port: 0 } });
}
