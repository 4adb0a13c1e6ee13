import { memoryStorage } from "../../lib/storage/memory/index.ts";
import { type Backend, movableClock } from "./backend.ts";
import { blobsContract } from "./blobs.contract.ts";
import { bucketContract } from "./bucket.contract.ts";
import { storageContract } from "./storage.contract.ts";
import { tableContract } from "./table.contract.ts";

async function memory(): Promise<Backend> {
  const time = movableClock();
  const storage = memoryStorage({ clock: time.clock });
  return { storage, ...time, dispose: () => storage.close() };
}

tableContract(memory);
blobsContract(memory);
bucketContract(memory);
storageContract(memory);
