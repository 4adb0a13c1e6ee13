/** The thread that owns the database. While it syncs, requests gather; then it takes all of them at once. */
import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";
import type { Started, WorkerOptions } from "../protocol.ts";
import { Groups } from "./groups.ts";
import { CannotOpen } from "./schema.ts";
import { Store } from "./store.ts";

/** Asks the worker to close the database and end. */
type Message = Uint8Array | "close";

const port = parentPort as MessagePort;

function start(): void {
  let store: Store;
  try {
    store = new Store(workerData as WorkerOptions);
  } catch (error) {
    if (!(error instanceof CannotOpen)) throw error;
    port.postMessage({ started: false, code: error.code, message: error.message } satisfies Started);
    port.close();
    return;
  }
  const groups = new Groups(store, (answers) => port.postMessage(answers, [answers.buffer]));
  port.on("message", (first: Message) => {
    const messages: Uint8Array[] = [];
    let closing = false;
    for (let next: Message | undefined = first; next !== undefined; next = waiting()) {
      if (next === "close") closing = true;
      else messages.push(next);
    }
    if (messages.length > 0) groups.run(messages);
    if (closing) {
      store.close();
      port.close();
    }
  });
  port.postMessage({ started: true, files: store.blobs.files() } satisfies Started);
}

function waiting(): Message | undefined {
  return receiveMessageOnPort(port)?.message as Message | undefined;
}

start();
