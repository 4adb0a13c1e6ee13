/** Constructs for an app of your own (https://docs.aws.amazon.com/cdk/v2/guide/). `docs/aws.md` describes them. */
export { EventLog } from "./event-log.ts";
export type { Authorization, EventLogProps, IamAuthorization, JwtAuthorization, LagNotifier, NoAuthorization } from "./props.ts";
export { EventLogStack, type EventLogStackProps, propsFromContext } from "./stack.ts";
export { LogStorage } from "./storage.ts";
