/** AlterConfigs (KIP-133): the configs that are named are all that is set afterwards. And IncrementalAlterConfigs (KIP-339). */
import { BrokerlessError } from "../../base/errors.ts";
import { alterConfigs } from "../../kafka/protocol/api/alter-configs.ts";
import { incrementalAlterConfigs } from "../../kafka/protocol/api/incremental-alter-configs.ts";
import type { Decoded } from "../../kafka/protocol/schema.ts";
import type { ConfigEntry } from "../../log/types.ts";
import { type Call, type Handler, handlerOf } from "../call.ts";
import { configResource } from "../config-resources.ts";
import { type ErrorFields, errorFields, NO_ERROR } from "../errors.ts";

type Changes = ReadonlyMap<string, string | null>;
type Resource = Decoded<typeof alterConfigs.request>["resources"][number];
type Step = Decoded<typeof incrementalAlterConfigs.request>["resources"][number]["configs"][number];

const SET = 0;
const DELETE = 1;
const APPEND = 2;
const SUBTRACT = 3;

export const alterConfigsHandler: Handler = handlerOf(alterConfigs, async ({ resources, validateOnly }, call) => ({
  responses: await Promise.all(
    resources.map((resource) => alter(call, resource, validateOnly, (entries) => replaced(entries, resource.configs))),
  ),
}));

export const incrementalAlterConfigsHandler: Handler = handlerOf(
  incrementalAlterConfigs,
  async ({ resources, validateOnly }, call) => ({
    responses: await Promise.all(
      resources.map((resource) => alter(call, resource, validateOnly, (entries) => stepped(entries, resource.configs))),
    ),
  }),
);

async function alter(
  call: Call,
  { resourceType, resourceName }: Pick<Resource, "resourceType" | "resourceName">,
  validateOnly: boolean,
  changesOf: (entries: readonly ConfigEntry[]) => Changes,
): Promise<ErrorFields & { resourceType: number; resourceName: string }> {
  try {
    const found = configResource(call, resourceType, resourceName);
    const forbidden = found.forbidden("admin");
    if (forbidden !== undefined) return { ...forbidden, resourceType, resourceName };
    if (found.alter === undefined) {
      throw new BrokerlessError("invalid_request", "a broker's configs are set where the server is started, not by requests");
    }
    await found.alter(Object.fromEntries(changesOf(await found.entries())), validateOnly);
    return { ...NO_ERROR, resourceType, resourceName };
  } catch (error) {
    return { ...errorFields(call.surface.judge(error, "AlterConfigs")), resourceType, resourceName };
  }
}

function replaced(entries: readonly ConfigEntry[], configs: Resource["configs"]): Changes {
  const changes = new Map<string, string | null>();
  for (const { name, isDefault } of entries) if (!isDefault) changes.set(name, null);
  for (const { name, value } of configs) changes.set(name, value);
  return changes;
}

function stepped(entries: readonly ConfigEntry[], steps: readonly Step[]): Changes {
  const changes = new Map<string, string | null>();
  for (const step of steps) {
    if (changes.has(step.name)) throw new BrokerlessError("invalid_request", `config ${step.name} is changed twice`);
    changes.set(
      step.name,
      valueAfter(
        entries.find(({ name }) => name === step.name),
        step,
      ),
    );
  }
  return changes;
}

/** Null: back to the default. */
function valueAfter(entry: ConfigEntry | undefined, { name, configOperation, value }: Step): string | null {
  if (configOperation === DELETE) return null;
  if (value === null) throw new BrokerlessError("invalid_config", `config ${name} is null; it takes a value`);
  if (configOperation === SET) return value;
  if (configOperation !== APPEND && configOperation !== SUBTRACT) {
    throw new BrokerlessError("invalid_request", `the operation on ${name} is ${configOperation}; 0 to 3 are known`);
  }
  if (entry?.type !== "list") {
    throw new BrokerlessError("invalid_config", `config ${name} is no list; it can be set or deleted`);
  }
  const given = words(value);
  const now = words(entry.value);
  const after =
    configOperation === APPEND
      ? [...now, ...given.filter((word) => !now.includes(word))]
      : now.filter((word) => !given.includes(word));
  return after.join(",");
}

function words(list: string): string[] {
  return list
    .split(",")
    .map((word) => word.trim())
    .filter((word) => word !== "");
}
