/** The notifiers of the local server: a JSON file, with the files of its secrets beside it. */
import { readFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { BrokerlessError } from "../base/errors.ts";
import { type NotifierMeans, openNotifiers } from "../lag/notify/config.ts";
import type { Notifier } from "../lag/notify/notify.ts";
import type { Clock } from "../ports/index.ts";
import type { ServerConfig } from "./config.ts";

/** None without a file. Throws `invalid_config`. */
export async function notifiersOf(
  { notifiers, jobs }: ServerConfig,
  clock: Clock,
  sns: NotifierMeans["sns"] | undefined,
): Promise<readonly Notifier[]> {
  if (notifiers === undefined) return [];
  if (!jobs) throw refused("notifiers: this server runs no jobs, so nobody would be told; leave jobs true, or notifiers out");
  return openNotifiers(notifiers, await text("notifiers", notifiers), {
    clock,
    send: (url, init) => fetch(url, init),
    secret: async (place) => {
      if (!("file" in place)) throw refused(`${notifiers}: secretArn is for the lag function on AWS; here it is secretFile`);
      return (await text(`${notifiers}: secretFile`, resolve(dirname(notifiers), place.file))).trim();
    },
    sns:
      sns ??
      (() => {
        throw refused(`${notifiers}: sns needs AWS credentials, which "brokerless serve" finds; this server was started without`);
      }),
  });
}

async function text(name: string, file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (cause) {
    throw refused(`${name}: ${file} cannot be read (${(cause as NodeJS.ErrnoException).code})`, cause);
  }
}

function refused(message: string, cause?: unknown): BrokerlessError {
  return new BrokerlessError("invalid_config", message, { field: "notifiers", cause });
}
