import { localDoorbell } from "../../lib/storage/local/doorbell.ts";
import { systemClock } from "../../lib/storage/system/clock.ts";
import { systemIds } from "../../lib/storage/system/ids.ts";
import { doorbellContract } from "./doorbell.contract.ts";
import { idsContract } from "./ids.contract.ts";

doorbellContract(() => ({ doorbell: localDoorbell(systemClock), clock: systemClock }));
idsContract(systemIds);
