/** API Gateway in front of the api function: an HTTP API, or a REST API where there is none. */
import { RemovalPolicy, Stack } from "aws-cdk-lib";
import {
  AccessLogFormat,
  AuthorizationType,
  EndpointType,
  LambdaIntegration,
  RestApi,
  LogGroupLogDestination as RestLogDestination,
} from "aws-cdk-lib/aws-apigateway";
import {
  CorsHttpMethod,
  HttpApi,
  HttpMethod,
  HttpNoneAuthorizer,
  HttpStage,
  type IHttpRouteAuthorizer,
  LogGroupLogDestination,
} from "aws-cdk-lib/aws-apigatewayv2";
import { HttpIamAuthorizer, HttpJwtAuthorizer } from "aws-cdk-lib/aws-apigatewayv2-authorizers";
import { HttpLambdaIntegration } from "aws-cdk-lib/aws-apigatewayv2-integrations";
import { type Metric, Stats } from "aws-cdk-lib/aws-cloudwatch";
import { Grant, type IGrantable } from "aws-cdk-lib/aws-iam";
import type { IFunction } from "aws-cdk-lib/aws-lambda";
import { LogGroup, type RetentionDays } from "aws-cdk-lib/aws-logs";
import type { Construct } from "constructs";
import { acknowledge } from "./acknowledge.ts";
import type { Authorization } from "./props.ts";

export interface GatewayProps {
  readonly handler: IFunction;
  readonly authorization: Authorization;
  readonly throttle: { readonly ratePerSecond: number; readonly burst: number };
  readonly corsOrigins: readonly string[];
  readonly logRetention: RetentionDays;
}

/** What the two kinds have in common. */
export interface Gateway {
  /** Without a slash at the end. */
  readonly url: string;
  readonly serverErrors: Metric;
  readonly clientErrors: Metric;
  readonly requests: Metric;
  readonly latencyP99: Metric;
  grantCall(grantee: IGrantable): Grant;
}

/** Why the gateway itself asks nobody who they are; undefined where it does. */
const OPEN_REASONS: Readonly<Partial<Record<Authorization["type"], string>>> = {
  none: "authorization none with insecure: true was asked for; whoever has the URL may call.",
  token: "The functions ask everybody for a token, and check what it gives.",
};

/** One line a call: who, what, how long, and what the gateway itself had to say. */
const ACCESS_LOG_FIELDS = {
  requestId: "$context.requestId",
  ip: "$context.identity.sourceIp",
  method: "$context.httpMethod",
  path: "$context.path",
  status: "$context.status",
  bytes: "$context.responseLength",
  latencyMs: "$context.responseLatency",
  error: "$context.error.message",
};

export function httpGateway(scope: Construct, props: GatewayProps): Gateway {
  const { handler, authorization, throttle, corsOrigins } = props;
  const api = new HttpApi(scope, "HttpApi", {
    description: "The HTTP surface of an event log",
    createDefaultStage: false,
    ...(corsOrigins.length === 0
      ? {}
      : { corsPreflight: { allowOrigins: [...corsOrigins], allowMethods: [CorsHttpMethod.ANY], allowHeaders: ["*"] } }),
  });
  // Every path goes to the one app; what is not there is its to say.
  const integration = new HttpLambdaIntegration("Api", handler);
  const path = "/{proxy+}";
  const routes = api.addRoutes({ path, methods: [HttpMethod.ANY], integration, authorizer: authorizerOf(authorization) });
  if (corsOrigins.length > 0) {
    const preflight = api.addRoutes({
      path,
      methods: [HttpMethod.OPTIONS],
      integration,
      authorizer: new HttpNoneAuthorizer(),
    });
    for (const route of preflight)
      acknowledge(route, { id: "AwsSolutions-APIG4", reason: "A browser's preflight has no credentials." });
  }
  const stage = new HttpStage(scope, "HttpStage", {
    httpApi: api,
    stageName: "$default",
    autoDeploy: true,
    throttle: { rateLimit: throttle.ratePerSecond, burstLimit: throttle.burst },
    accessLogSettings: {
      destination: new LogGroupLogDestination(accessLogs(scope, props.logRetention)),
      format: AccessLogFormat.custom(JSON.stringify(ACCESS_LOG_FIELDS)),
    },
  });
  const openReason = OPEN_REASONS[authorization.type];
  if (openReason !== undefined) for (const route of routes) acknowledge(route, { id: "AwsSolutions-APIG4", reason: openReason });
  return {
    // Not the stage's own, which ends in a slash.
    url: api.apiEndpoint,
    serverErrors: api.metricServerError({ statistic: Stats.SUM }),
    clientErrors: api.metricClientError({ statistic: Stats.SUM }),
    requests: api.metricCount({ statistic: Stats.SUM }),
    latencyP99: api.metricLatency({ statistic: Stats.p(99) }),
    grantCall: (grantee) =>
      Grant.addToPrincipal({
        grantee,
        actions: ["execute-api:Invoke"],
        resourceArns: [
          Stack.of(api).formatArn({ service: "execute-api", resource: api.apiId, resourceName: `${stage.stageName}/*` }),
        ],
      }),
  };
}

export function restGateway(scope: Construct, props: GatewayProps): Gateway {
  const { handler, authorization, throttle, corsOrigins } = props;
  const api = new RestApi(scope, "RestApi", {
    description: "The HTTP surface of an event log",
    endpointTypes: [EndpointType.REGIONAL],
    // Bodies are bytes.
    binaryMediaTypes: ["*/*"],
    cloudWatchRole: false,
    deployOptions: {
      stageName: "log",
      throttlingRateLimit: throttle.ratePerSecond,
      throttlingBurstLimit: throttle.burst,
      accessLogDestination: new RestLogDestination(accessLogs(scope, props.logRetention)),
      accessLogFormat: AccessLogFormat.custom(JSON.stringify(ACCESS_LOG_FIELDS)),
    },
    defaultMethodOptions: { authorizationType: authorization.type === "iam" ? AuthorizationType.IAM : AuthorizationType.NONE },
    ...(corsOrigins.length === 0 ? {} : { defaultCorsPreflightOptions: { allowOrigins: [...corsOrigins], allowHeaders: ["*"] } }),
  });
  api.root.addProxy({ defaultIntegration: new LambdaIntegration(handler, { proxy: true }), anyMethod: true });
  acknowledge(
    api,
    { id: "AwsSolutions-APIG2", reason: "The app checks every request itself and answers with the field that is wrong." },
    {
      id: "AwsSolutions-APIG3",
      reason: "A firewall is for the deployment to choose; requests are throttled and authorized here.",
    },
    {
      id: "AwsSolutions-APIG6",
      reason: "Access logs are on; execution logs need a role of the whole account, which is not ours to set.",
    },
    {
      id: "AwsSolutions-COG4",
      reason: "Callers are authorized by IAM; an event log has services as its callers, not a user pool.",
    },
  );
  const openReason = OPEN_REASONS[authorization.type];
  if (openReason !== undefined) acknowledge(api, { id: "AwsSolutions-APIG4", reason: openReason });
  return {
    url: api.url.replace(/\/$/, ""),
    serverErrors: api.metricServerError({ statistic: Stats.SUM }),
    clientErrors: api.metricClientError({ statistic: Stats.SUM }),
    requests: api.metricCount({ statistic: Stats.SUM }),
    latencyP99: api.metricLatency({ statistic: Stats.p(99) }),
    grantCall: (grantee) =>
      Grant.addToPrincipal({ grantee, actions: ["execute-api:Invoke"], resourceArns: [api.arnForExecuteApi("*", "/*", "log")] }),
  };
}

function accessLogs(scope: Construct, retention: RetentionDays): LogGroup {
  return new LogGroup(scope, "AccessLogs", { retention, removalPolicy: RemovalPolicy.DESTROY });
}

function authorizerOf(authorization: Authorization): IHttpRouteAuthorizer {
  if (authorization.type === "none" || authorization.type === "token") return new HttpNoneAuthorizer();
  if (authorization.type === "iam") return new HttpIamAuthorizer();
  return new HttpJwtAuthorizer("Jwt", authorization.issuer, { jwtAudience: [...authorization.audience] });
}
