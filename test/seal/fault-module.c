/*
 * A PKCS#11 library for tests: passes everything on to the library named by FAULT_TARGET and misbehaves as the
 * files in the folder FAULT_DIR say. Each watched call appends its name to FAULT_DIR/log. A file FAULT_DIR/<name>
 * holds "<what> <how often>": a CKR number, or hang, crash, corrupt.
 */
#include <dlfcn.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CK_PTR *
#define CK_DECLARE_FUNCTION(returnType, name) returnType name
#define CK_DECLARE_FUNCTION_POINTER(returnType, name) returnType(*name)
#define CK_CALLBACK_FUNCTION(returnType, name) returnType(*name)
#ifndef NULL_PTR
#define NULL_PTR 0
#endif
#include "pkcs11.h"

static CK_FUNCTION_LIST list;
static CK_FUNCTION_LIST *real;

static void path_of(char *path, const char *name) { snprintf(path, PATH_MAX, "%s/%s", getenv("FAULT_DIR"), name); }

static int read_fault(const char *name, char *what) {
  char path[PATH_MAX];
  int left = 0;
  path_of(path, name);
  FILE *file = fopen(path, "r");
  if (!file) return 0;
  if (fscanf(file, "%31s %d", what, &left) != 2) left = 0;
  fclose(file);
  if (left <= 0) return 0;
  file = fopen(path, "w");
  fprintf(file, "%s %d", what, left - 1);
  fclose(file);
  return 1;
}

/* Logs the call and does what its file says. Returns a CKR to answer with, or CKR_OK to go on; *corrupt is set on demand. */
static CK_RV watched(const char *name, int *corrupt) {
  char path[PATH_MAX], what[32];
  path_of(path, "log");
  FILE *log = fopen(path, "a");
  fprintf(log, "%s\n", name);
  fclose(log);
  if (!read_fault(name, what)) return CKR_OK;
  if (!strcmp(what, "hang")) for (;;) pause();
  if (!strcmp(what, "crash")) raise(SIGSEGV);
  if (!strcmp(what, "corrupt")) {
    if (corrupt) *corrupt = 1;
    return CKR_OK;
  }
  return strtoul(what, NULL, 0);
}

#define WATCH(name, params, args)            \
  static CK_RV f_##name params {             \
    CK_RV rv = watched(#name, NULL);         \
    return rv != CKR_OK ? rv : real->name args; \
  }

WATCH(C_Initialize, (CK_VOID_PTR a), (a))
WATCH(C_Finalize, (CK_VOID_PTR a), (a))
WATCH(C_OpenSession, (CK_SLOT_ID s, CK_FLAGS f, CK_VOID_PTR a, CK_NOTIFY n, CK_SESSION_HANDLE_PTR h), (s, f, a, n, h))
WATCH(C_Login, (CK_SESSION_HANDLE h, CK_USER_TYPE u, CK_UTF8CHAR_PTR p, CK_ULONG l), (h, u, p, l))
WATCH(C_GenerateKey, (CK_SESSION_HANDLE h, CK_MECHANISM_PTR m, CK_ATTRIBUTE_PTR t, CK_ULONG c, CK_OBJECT_HANDLE_PTR k), (h, m, t, c, k))
WATCH(C_EncryptInit, (CK_SESSION_HANDLE h, CK_MECHANISM_PTR m, CK_OBJECT_HANDLE k), (h, m, k))
WATCH(C_DecryptInit, (CK_SESSION_HANDLE h, CK_MECHANISM_PTR m, CK_OBJECT_HANDLE k), (h, m, k))
WATCH(C_GenerateRandom, (CK_SESSION_HANDLE h, CK_BYTE_PTR b, CK_ULONG l), (h, b, l))

static CK_RV f_C_Encrypt(CK_SESSION_HANDLE h, CK_BYTE_PTR d, CK_ULONG dl, CK_BYTE_PTR e, CK_ULONG_PTR el) {
  CK_RV rv = watched("C_Encrypt", NULL);
  return rv != CKR_OK ? rv : real->C_Encrypt(h, d, dl, e, el);
}

static CK_RV f_C_Decrypt(CK_SESSION_HANDLE h, CK_BYTE_PTR e, CK_ULONG el, CK_BYTE_PTR d, CK_ULONG_PTR dl) {
  int corrupt = 0;
  CK_RV rv = watched("C_Decrypt", &corrupt);
  if (rv != CKR_OK) return rv;
  rv = real->C_Decrypt(h, e, el, d, dl);
  if (rv == CKR_OK && corrupt && d && *dl > 0) d[0] ^= 1;
  return rv;
}

static CK_RV f_C_GetTokenInfo(CK_SLOT_ID s, CK_TOKEN_INFO_PTR i) {
  char what[32];
  CK_RV rv = real->C_GetTokenInfo(s, i);
  if (rv == CKR_OK && read_fault("token-flags", what)) i->flags |= strtoul(what, NULL, 0);
  return rv;
}

CK_RV C_GetFunctionList(CK_FUNCTION_LIST_PTR_PTR out) {
  void *library = dlopen(getenv("FAULT_TARGET"), RTLD_NOW | RTLD_LOCAL);
  CK_RV (*get)(CK_FUNCTION_LIST_PTR_PTR) = library ? (CK_RV(*)(CK_FUNCTION_LIST_PTR_PTR))dlsym(library, "C_GetFunctionList") : NULL;
  if (!get || get(&real) != CKR_OK) return CKR_GENERAL_ERROR;
  list = *real;
  list.C_Initialize = f_C_Initialize;
  list.C_Finalize = f_C_Finalize;
  list.C_OpenSession = f_C_OpenSession;
  list.C_Login = f_C_Login;
  list.C_GenerateKey = f_C_GenerateKey;
  list.C_EncryptInit = f_C_EncryptInit;
  list.C_Encrypt = f_C_Encrypt;
  list.C_DecryptInit = f_C_DecryptInit;
  list.C_Decrypt = f_C_Decrypt;
  list.C_GenerateRandom = f_C_GenerateRandom;
  list.C_GetTokenInfo = f_C_GetTokenInfo;
  *out = &list;
  return CKR_OK;
}
