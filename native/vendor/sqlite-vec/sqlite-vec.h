/* Made of sqlite-vec.h.tmpl of sqlite-vec v0.1.9. */
#ifndef SQLITE_VEC_H
#define SQLITE_VEC_H
#include "sqlite3ext.h"
#ifndef SQLITE_VEC_API
#define SQLITE_VEC_API
#endif
#define SQLITE_VEC_VERSION "v0.1.9"
#define SQLITE_VEC_DATE ""
#define SQLITE_VEC_SOURCE ""
#define SQLITE_VEC_VERSION_MAJOR 0
#define SQLITE_VEC_VERSION_MINOR 1
#define SQLITE_VEC_VERSION_PATCH 9
SQLITE_VEC_API int sqlite3_vec_init(sqlite3 *db, char **pzErrMsg, const sqlite3_api_routines *pApi);
#endif
