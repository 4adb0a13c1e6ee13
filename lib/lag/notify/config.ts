/** Notifiers as they are configured: a JSON list, of the local server and of the lag function alike. */
import * as z from "zod";
import { BrokerlessError } from "../../base/errors.ts";
import type { Clock } from "../../ports/index.ts";
import type { Send } from "./channel.ts";
import { checkTemplate, type Template } from "./notice.ts";
import type { Notifier } from "./notify.ts";
import { sns } from "./sns.ts";
import { webhook } from "./webhook.ts";

const SECRET_LEAST = 16;

const webhookSchema = z.strictObject({
  url: z.url(),
  headers: z.record(z.string(), z.string()).default({}),
  /** A file with the secret that signs; on AWS an ARN of Secrets Manager. */
  secretFile: z.string().min(1).optional(),
  secretArn: z.string().min(1).optional(),
  /** Plain HTTP to another machine is meant. */
  insecure: z.boolean().default(false),
});

const schema = z.array(
  z.strictObject({
    name: z.string().regex(/^[A-Za-z0-9._-]{1,64}$/, "takes 1 to 64 letters, digits, dots, dashes and underscores"),
    webhook: webhookSchema.optional(),
    sns: z
      .strictObject({ topicArn: z.string().regex(/^arn:[^:]+:sns:[^:]+:\d+:.+$/, "takes the ARN of an SNS topic") })
      .optional(),
    groups: z.string().optional(),
    exceptGroups: z.string().optional(),
    threshold: z.enum(["WARN", "ERR"]).default("WARN"),
    sendIntervalMs: z.int().min(10_000).max(604_800_000).default(3_600_000),
    sendOnce: z.boolean().default(false),
    sendClose: z.boolean().default(true),
    template: z.json().optional(),
    closeTemplate: z.json().optional(),
  }),
);

/** What notifiers send with. */
export interface NotifierMeans {
  readonly clock: Clock;
  /** As the global `fetch`. */
  readonly send: Send;
  /** What a `secretFile` or a `secretArn` holds. */
  readonly secret: (place: { readonly file: string } | { readonly arn: string }) => Promise<string>;
  /** For SNS in a region: where it is, and a `fetch` that signs for it. Throws where there is nothing to sign with. */
  readonly sns: (region: string) => { readonly endpoint: string; readonly send: Send };
}

/** Throws `invalid_config` that names `source`, the notifier and what is wrong. */
export async function openNotifiers(source: string, text: string, means: NotifierMeans): Promise<Notifier[]> {
  const refuse = (what: string, cause?: unknown): BrokerlessError =>
    new BrokerlessError("invalid_config", `${source}: ${what}`, { field: "notifiers", cause });
  let values: unknown;
  try {
    values = JSON.parse(text);
  } catch (cause) {
    throw refuse(`must hold a JSON list of notifiers: ${(cause as Error).message}`, cause);
  }
  const checked = schema.safeParse(values);
  if (!checked.success) {
    const [issue] = checked.error.issues;
    const place = issue?.path.map((part) => (typeof part === "number" ? `[${part}]` : `.${String(part)}`)).join("");
    throw refuse(place ? `${place}: ${issue?.message}` : `must hold a JSON list of notifiers: ${issue?.message}`);
  }
  const names = checked.data.map(({ name }) => name);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) throw refuse(`two notifiers are called "${twice}"`);
  return Promise.all(checked.data.map((one) => openNotifier(one, means, (what) => refuse(`notifier "${one.name}": ${what}`))));
}

type Configured = z.infer<typeof schema>[number];

async function openNotifier(one: Configured, means: NotifierMeans, refuse: (what: string) => BrokerlessError): Promise<Notifier> {
  const { name, threshold, sendIntervalMs, sendOnce, sendClose } = one;
  const template = one.template as Template | undefined;
  const closeTemplate = one.closeTemplate as Template | undefined;
  for (const given of [template, closeTemplate]) {
    try {
      if (given !== undefined) checkTemplate(given);
    } catch (error) {
      throw refuse((error as Error).message);
    }
  }
  if ((one.webhook === undefined) === (one.sns === undefined)) throw refuse("takes a webhook or sns, and one of them alone");
  return {
    name,
    rules: { threshold, sendIntervalMs, sendOnce, sendClose },
    isFor: groupsOf(one, refuse),
    channel:
      one.sns === undefined
        ? await openWebhook(one.webhook as z.infer<typeof webhookSchema>, { template, closeTemplate }, means, refuse)
        : openSns(one.sns, { template, closeTemplate }, means),
  };
}

interface Templates {
  readonly template: Template | undefined;
  readonly closeTemplate: Template | undefined;
}

function openSns({ topicArn }: { topicArn: string }, templates: Templates, means: NotifierMeans) {
  const { endpoint, send } = means.sns(topicArn.split(":")[3] as string);
  return sns({ topicArn, ...templates }, endpoint, send);
}

async function openWebhook(
  { url, headers, secretFile, secretArn, insecure }: z.infer<typeof webhookSchema>,
  templates: Templates,
  { secret, send, clock }: NotifierMeans,
  refuse: (what: string) => BrokerlessError,
) {
  const { protocol, hostname, username } = new URL(url);
  if (protocol !== "https:" && protocol !== "http:") throw refuse(`webhook.url takes https:// or http://; it is ${url}`);
  if (username !== "") throw refuse("webhook.url takes no user name or password; use webhook.headers");
  if (protocol === "http:" && !isLoopback(hostname) && !insecure)
    throw refuse(`webhook.url takes https:// (plain http to this machine alone, or with insecure: true); it is ${url}`);
  if (secretFile !== undefined && secretArn !== undefined) throw refuse("webhook takes secretFile or secretArn, not both");
  const place = secretFile !== undefined ? { file: secretFile } : secretArn !== undefined ? { arn: secretArn } : undefined;
  const key = place === undefined ? undefined : await secret(place);
  if (key !== undefined && key.length < SECRET_LEAST)
    throw refuse(`the secret has ${key.length} characters; it takes at least ${SECRET_LEAST}`);
  try {
    new Headers(headers);
  } catch (error) {
    throw refuse(`webhook.headers: ${(error as Error).message}`);
  }
  return webhook({ url, headers, ...templates }, key, send, clock);
}

function isLoopback(hostname: string): boolean {
  return hostname === "localhost" || hostname === "[::1]" || /^127(\.\d{1,3}){3}$/.test(hostname);
}

function groupsOf({ groups, exceptGroups }: Configured, refuse: (what: string) => BrokerlessError): (group: string) => boolean {
  const pattern = (field: string, text: string | undefined): RegExp | undefined => {
    try {
      return text === undefined ? undefined : new RegExp(text, "u");
    } catch (error) {
      throw refuse(`${field}: ${(error as Error).message}`);
    }
  };
  const allowed = pattern("groups", groups);
  const denied = pattern("exceptGroups", exceptGroups);
  return (group) => allowed?.test(group) !== false && denied?.test(group) !== true;
}
