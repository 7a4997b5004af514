/** Which view answers where. `latchkey serve` mounts this list, and the tests mount the same one. */
import { path, type UrlPattern } from '@latchkey/server'
import { obtainAuthToken } from 'latchkey'
import { classicHelloView, loginView } from './classic/views.js'
import { HelloView } from './core/views.js'

export const urlpatterns: readonly UrlPattern[] = [
  path('hello/', HelloView),
  path('api-token-auth/', obtainAuthToken()),
  path('classic/login/', loginView),
  path('classic/hello/', classicHelloView),
]
