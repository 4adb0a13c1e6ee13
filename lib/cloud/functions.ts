/** One Lambda function of the log: its role, its log group, its code. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Duration, RemovalPolicy, Stack } from "aws-cdk-lib";
import { PolicyStatement, Role, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import {
  ApplicationLogLevel,
  Architecture,
  type CfnFunction,
  Code,
  Function as LambdaFunction,
  LoggingFormat,
  Runtime,
  SystemLogLevel,
} from "aws-cdk-lib/aws-lambda";
import { LogGroup, type RetentionDays } from "aws-cdk-lib/aws-logs";
import { Construct } from "constructs";
import { acknowledge } from "./acknowledge.ts";
import { LAG_NAMESPACE } from "./lag.ts";
import type { LogStorage } from "./storage.ts";

export interface LogFunctionProps {
  /** Of the folder of its bundle. */
  readonly name: string;
  readonly description: string;
  readonly storage: LogStorage;
  readonly bundles: string | undefined;
  readonly timeout: Duration;
  readonly memoryMb: number;
  readonly maxConcurrency: number | undefined;
  readonly logRetention: RetentionDays;
  readonly environment: Readonly<Record<string, string>>;
  /** A job deletes what is not needed any more; the sweeper looks at everything for it; lag only looks; groups
   * gives up what is of groups alone. Default: none of them. */
  readonly job?: "job" | "sweeper" | "lag" | "groups";
}

export class LogFunction extends Construct {
  readonly lambda: LambdaFunction;
  readonly role: Role;

  constructor(scope: Construct, id: string, props: LogFunctionProps) {
    super(scope, id);
    const { name, storage } = props;
    const logGroup = new LogGroup(this, "Logs", { retention: props.logRetention, removalPolicy: RemovalPolicy.DESTROY });
    this.role = new Role(this, "Role", {
      assumedBy: new ServicePrincipal("lambda.amazonaws.com"),
      description: `The ${name} function of an event log`,
    });
    this.role.addToPolicy(
      new PolicyStatement({ actions: ["logs:CreateLogStream", "logs:PutLogEvents"], resources: [logGroup.logGroupArn] }),
    );
    if (props.job === "sweeper") storage.grantSweep(this.role);
    else if (props.job === "job") storage.grantJobs(this.role);
    else if (props.job === "groups") storage.grantGroups(this.role);
    else if (props.job === "lag") this.#grantReporter(storage);
    else storage.grantLog(this.role);
    this.lambda = new LambdaFunction(this, "Function", {
      description: props.description,
      runtime: Runtime.NODEJS_24_X,
      architecture: Architecture.ARM_64,
      handler: "index.handler",
      code: Code.fromAsset(bundleOf(name, props.bundles)),
      role: this.role,
      timeout: props.timeout,
      memorySize: props.memoryMb,
      ...(props.maxConcurrency === undefined ? {} : { reservedConcurrentExecutions: props.maxConcurrency }),
      logGroup,
      // The functions write a line of JSON a call; Lambda's own three are left out.
      loggingFormat: LoggingFormat.JSON,
      systemLogLevelV2: SystemLogLevel.WARN,
      applicationLogLevelV2: ApplicationLogLevel.INFO,
      environment: {
        BROKERLESS_TABLE: storage.table.tableName,
        BROKERLESS_BUCKET: storage.bucket.bucketName,
        ...props.environment,
      },
    });
    acknowledge(this.role, {
      id: `AwsSolutions-IAM5[Resource::<${storage.bucketId()}.Arn>/*]`,
      reason: "The log names its objects as it goes, so it may read and put every object of its own bucket, and of no other.",
    });
  }

  #grantReporter(storage: LogStorage): void {
    storage.grantReporter(this.role);
    this.role.addToPolicy(
      new PolicyStatement({
        actions: ["cloudwatch:PutMetricData"],
        resources: ["*"],
        conditions: { StringEquals: { "cloudwatch:namespace": LAG_NAMESPACE } },
      }),
    );
    acknowledge(this.role, {
      id: "AwsSolutions-IAM5[Resource::*]",
      reason: "Metrics have no ARN; the condition holds it to one namespace.",
    });
  }

  /** Its logical id, by which cdk-nag names what is granted on it. */
  lambdaId(): string {
    return Stack.of(this).getLogicalId(this.lambda.node.defaultChild as CfnFunction);
  }
}

/** Beside this file in the package, or where `node .ci/bundle.ts` puts them in the sources. */
function bundleOf(name: string, bundles: string | undefined): string {
  const places =
    bundles === undefined
      ? ["../../lambda-bundles", "../../dist/lambda-bundles"].map((path) => fileURLToPath(new URL(path, import.meta.url)))
      : [bundles];
  for (const place of places) {
    const folder = join(place, name);
    if (existsSync(join(folder, "index.mjs"))) return folder;
  }
  throw new Error(`the bundle of the ${name} function is not in ${places.join(" or ")}; node .ci/bundle.ts makes it`);
}
