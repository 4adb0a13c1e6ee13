/** A stack with one log, as `cdk deploy` of this project makes it. */
import { Stack, type StackProps } from "aws-cdk-lib";
import type { Construct } from "constructs";
import { EventLog } from "./event-log.ts";
import type { Authorization, EventLogProps, LagGroupAlarm } from "./props.ts";

export interface EventLogStackProps extends StackProps {
  readonly log?: EventLogProps;
}

export class EventLogStack extends Stack {
  readonly log: EventLog;

  constructor(scope: Construct, id: string, { log, ...props }: EventLogStackProps = {}) {
    super(scope, id, props);
    this.log = new EventLog(this, "Log", log);
  }
}

/** What `-c name=value` says: every value is text. */
export type Context = (name: string) => unknown;

/**
 * Properties from the context: `target` (`aws`, `localstack`), `dev`, `auth` (`iam`, `jwt`, `token`, `none`), `insecure`, `issuer`,
 * `audience` (with commas between), `endpoint`, `bundles`, `lagAlarm` (`group:topic:records`, with commas between). Throws for a value that is not one of them.
 */
export function propsFromContext(context: Context): EventLogProps {
  const target = oneOf(context, "target", ["aws", "localstack"], "aws");
  const dev = isTrue(context, "dev");
  const endpointUrl = text(context, "endpoint");
  const bundles = text(context, "bundles");
  const lagAlarm = text(context, "lagAlarm");
  return {
    dev,
    authorization: authorization(context),
    ...(target === "localstack" ? { api: "rest", dashboard: false } : {}),
    ...(endpointUrl === undefined ? {} : { endpointUrl }),
    ...(bundles === undefined ? {} : { bundles }),
    ...(lagAlarm === undefined ? {} : { lagAlarms: { groups: lagAlarm.split(",").map(groupAlarm) } }),
  };
}

function groupAlarm(said: string): LagGroupAlarm {
  const [group = "", topic = "", records = "", more] = said.split(":");
  if (more !== undefined || !/^\d+$/.test(records))
    throw new Error(`-c lagAlarm= takes group:topic:records, several with commas between; it has ${JSON.stringify(said)}`);
  return { group, topic, records: Number(records) };
}

function authorization(context: Context): Authorization {
  const type = oneOf(context, "auth", ["iam", "jwt", "token", "none"], "iam");
  if (type === "iam" || type === "token") return { type };
  if (type === "jwt") {
    const issuer = text(context, "issuer");
    const audience = text(context, "audience");
    if (issuer === undefined || audience === undefined)
      throw new Error("auth=jwt needs -c issuer=https://… and -c audience=… (several with commas between)");
    return { type, issuer, audience: audience.split(",") };
  }
  if (!isTrue(context, "insecure"))
    throw new Error("auth=none lets everybody read and write; add -c insecure=true where that is meant");
  return { type, insecure: true };
}

function text(context: Context, name: string): string | undefined {
  const value = context(name);
  return value === undefined || value === null || value === "" ? undefined : String(value);
}

function isTrue(context: Context, name: string): boolean {
  return oneOf(context, name, ["true", "false"], "false") === "true";
}

function oneOf<const T extends string>(context: Context, name: string, values: readonly T[], otherwise: T): T {
  const value = text(context, name) ?? otherwise;
  const found = values.find((one) => one === value);
  if (found === undefined) throw new Error(`-c ${name}= takes ${values.join(", ")}; it is ${JSON.stringify(value)}`);
  return found;
}
