/** What projects import from `@latchkey/server`: urls, the app, the server and the settings' type. */
export { createApp } from './http/app.js'
export { type RunningServer, type ServeOptions, serve } from './http/serve.js'
export { type PathOptions, path, type UrlPattern } from './http/urls.js'
export { defineConfig, type LatchkeyConfig } from './settings/config-file.js'
