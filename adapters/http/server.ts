/** Puts the server together: who may come in, then the routes, then how errors are written. */
import rateLimit from '@fastify/rate-limit'
import { type FastifyInstance, fastify } from 'fastify'
import { validatorCompiler } from 'fastify-type-provider-zod'
import { registerDocs } from './docs.ts'
import { installErrors, sendProblem, toProblem, writeClientError } from './errors.ts'
import { installGuard } from './guard.ts'
import { createMeter } from './metrics.ts'
import type { ServerOptions } from './options.ts'
import { registerActions } from './routes/actions.ts'
import { registerLogs } from './routes/logs.ts'
import { registerOutputs } from './routes/outputs.ts'
import { registerSystem } from './routes/system.ts'
import { registerTasks } from './routes/tasks.ts'
import { secureResponse } from './security-headers.ts'

export async function buildServer(options: ServerOptions): Promise<FastifyInstance> {
  const app = fastify({
    logger: false,
    bodyLimit: options.limits.bodyBytes,
    requestTimeout: 60_000,
    forceCloseConnections: 'idle',
    exposeHeadRoutes: false,
    routerOptions: { maxParamLength: 4096 },
    http: { ServerResponse: secureResponse() },
    clientErrorHandler: writeClientError,
    // Before any route or hook: a path that cannot be decoded.
    frameworkErrors: (error, _request, reply) => void sendProblem(reply, toProblem(error)),
  })
  app.setValidatorCompiler(validatorCompiler)
  // What is answered was built by our own code to a checked type, so it is only written here; a test reads it against the schemas.
  app.setSerializerCompiler(() => (data) => JSON.stringify(data))
  acceptOnlyJson(app)
  installErrors(app, options.logger)
  await installLimits(app, options)
  const meter = createMeter(options.health)
  app.addHook('onResponse', (request, reply, done) => {
    meter.observe(request.method, request.routeOptions.url, reply.statusCode, reply.elapsedTime)
    done()
  })
  await registerDocs(app, options.version)
  await app.register(async (scope) => {
    registerTasks(scope, options)
    registerActions(scope, options)
    registerLogs(scope, options)
    registerOutputs(scope, options)
    registerSystem(scope, { ...options, meter })
  })
  return app
}

/** Other forms of body can be sent by a page of another site without asking; they are not read at all. */
function acceptOnlyJson(app: FastifyInstance): void {
  app.removeContentTypeParser('text/plain')
}

/** The guard runs before the limiter, so that a caller is known by token; a wrong token counts for its address. */
async function installLimits(app: FastifyInstance, options: ServerOptions): Promise<void> {
  const guard = installGuard(app, options)
  await app.register(rateLimit, {
    global: false,
    max: options.limits.requestsPerMinute,
    timeWindow: 60_000,
    keyGenerator: guard.callerKey,
    errorResponseBuilder: (_request, context) => guard.tooMany(context.ttl),
  })
  app.addHook('onRequest', app.rateLimit())
  app.addHook('onRequest', guard.requireActor)
}
