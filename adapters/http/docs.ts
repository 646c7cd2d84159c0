/** The OpenAPI document, made from the same schemas that check requests, and a page to try it. */
import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import type { FastifyInstance } from 'fastify'
import { jsonSchemaTransform } from 'fastify-type-provider-zod'

/** Swagger UI draws with inline styles; scripts come from this server only. */
const PAGE_POLICY = {
  'default-src': "'self'",
  'script-src': "'self'",
  'style-src': "'self' 'unsafe-inline'",
  'img-src': "'self' data:",
  'frame-ancestors': "'none'",
  'base-uri': "'none'",
  'form-action': "'none'",
}

export async function registerDocs(app: FastifyInstance, version: string): Promise<void> {
  app.addHook('onRoute', (route) => {
    if (route.url.startsWith('/docs')) route.config = { ...route.config, isPublic: true }
  })
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Assistant',
        version,
        description:
          'Ask for work in plain words; a local model plans shell commands; a sandbox runs them. Errors are RFC 9457 ' +
          'problem details; /problems lists every code.',
      },
      tags: [
        { name: 'tasks', description: 'Ask, look, and follow' },
        { name: 'decisions', description: 'Approve, reject, cancel, do again' },
        { name: 'files', description: 'What a task made' },
        { name: 'server', description: 'How the server does' },
      ],
      components: { securitySchemes: { token: { type: 'http', scheme: 'bearer' } } },
      security: [{ token: [] }, {}],
    },
    transform: jsonSchemaTransform,
  })
  // Whoever types the address alone wants to see something.
  app.route({
    method: ['GET', 'HEAD'],
    url: '/',
    schema: { hide: true },
    config: { isPublic: true },
    handler: (_request, reply) => reply.redirect('/docs'),
  })
  await app.register(swaggerUi, {
    routePrefix: '/docs',
    staticCSP: PAGE_POLICY,
    theme: {
      title: 'Assistant: HTTP API',
      css: [{ filename: 'page.css', content: '.swagger-ui .topbar { display: none }' }],
    },
    uiConfig: { docExpansion: 'list', tryItOutEnabled: true, persistAuthorization: false },
  })
}
