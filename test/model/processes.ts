/** What each process of the model does next. */
import { lane, sealer, writer } from "./appending.ts";
import { objectSweeper, retention, sweeper } from "./deleting.ts";
import type { Process, Step } from "./process.ts";
import { reader } from "./reading.ts";
import { rewriter, roller } from "./rewriting.ts";
import type { Rules } from "./rules.ts";

export function next(process: Process, rules: Rules, processes: readonly Process[]): Step {
  switch (process.is) {
    case "writer":
      return writer(process);
    case "lane":
      return lane(process, rules);
    case "sealer":
      return sealer(process);
    case "roller":
      return roller(process, rules, processes);
    case "rewriter":
      return rewriter(process);
    case "retention":
      return retention(process, rules, processes);
    case "sweeper":
      return sweeper(process, rules);
    case "object sweeper":
      return objectSweeper(process, rules);
    case "reader":
      return reader(process, rules);
  }
}
