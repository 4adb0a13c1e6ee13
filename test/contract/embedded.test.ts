import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openEmbedded } from "../../lib/storage/embedded/index.ts";
import { type Backend, movableClock } from "./backend.ts";
import { blobsContract } from "./blobs.contract.ts";
import { bucketContract } from "./bucket.contract.ts";
import { storageContract } from "./storage.contract.ts";
import { tableContract } from "./table.contract.ts";

async function embedded(): Promise<Backend> {
  const { clock, passTime } = movableClock();
  const folder = await mkdtemp(join(tmpdir(), "brokerless-contract-"));
  const open = () => openEmbedded({ folder, clock });
  const storage = await open();
  return {
    storage,
    clock,
    passTime,
    reopen: open,
    async dispose() {
      await storage.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

tableContract(embedded);
blobsContract(embedded);
bucketContract(embedded);
storageContract(embedded);
