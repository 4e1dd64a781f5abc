/*
 * A PKCS#11 library for tests: passes everything on to the library named by FAULT_TARGET and misbehaves as the
 * files in the folder FAULT_DIR say. Each watched call appends its name to FAULT_DIR/log. A file FAULT_DIR/<name>
 * holds "<what> <how often>": a CKR number, or hang, crash, corrupt.
 *
 * It also does what SoftHSM cannot: the file own-iv makes it refuse the IV of AES-GCM and take its own one, which it
 * appends to the ciphertext ("append"), writes where the caller's was ("write"), does so only when that was zeros
 * ("zeros"), or keeps to itself ("secret"); the file oaep gives it OAEP with every hash, by raw RSA on the token.
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
WATCH(C_Login, (CK_SESSION_HANDLE h, CK_USER_TYPE u, CK_UTF8CHAR_PTR p, CK_ULONG l), (h, u, p, l))
WATCH(C_GenerateKey, (CK_SESSION_HANDLE h, CK_MECHANISM_PTR m, CK_ATTRIBUTE_PTR t, CK_ULONG c, CK_OBJECT_HANDLE_PTR k), (h, m, t, c, k))
WATCH(C_GenerateKeyPair, (CK_SESSION_HANDLE h, CK_MECHANISM_PTR m, CK_ATTRIBUTE_PTR a, CK_ULONG n, CK_ATTRIBUTE_PTR b, CK_ULONG l, CK_OBJECT_HANDLE_PTR x, CK_OBJECT_HANDLE_PTR y), (h, m, a, n, b, l, x, y))
WATCH(C_SignInit, (CK_SESSION_HANDLE h, CK_MECHANISM_PTR m, CK_OBJECT_HANDLE k), (h, m, k))
WATCH(C_Sign, (CK_SESSION_HANDLE h, CK_BYTE_PTR d, CK_ULONG dl, CK_BYTE_PTR s, CK_ULONG_PTR sl), (h, d, dl, s, sl))
WATCH(C_GenerateRandom, (CK_SESSION_HANDLE h, CK_BYTE_PTR b, CK_ULONG l), (h, b, l))

/* Of OpenSSL, which Node exports; there is no header to need. */
extern const void *EVP_get_digestbyname(const char *);
extern int RSA_padding_add_PKCS1_OAEP_mgf1(unsigned char *, int, const unsigned char *, int, const unsigned char *, int, const void *, const void *);
extern int RSA_padding_check_PKCS1_OAEP_mgf1(unsigned char *, int, const unsigned char *, int, int, const unsigned char *, int, const void *, const void *);

static const void *oaep;
static int modulus;
static CK_MECHANISM raw_rsa = {CKM_RSA_X_509, NULL, 0};
static unsigned char own_iv[12];
static int appends;

/* @return whether the operation is one that this library does itself */
static int takes_oaep(CK_SESSION_HANDLE h, CK_MECHANISM_PTR m, CK_OBJECT_HANDLE k) {
  static const struct { CK_MECHANISM_TYPE hash; CK_ULONG mgf; const char *name; } HASHES[] = {
      {CKM_SHA_1, 1, "SHA1"}, {CKM_SHA224, 5, "SHA224"}, {CKM_SHA256, 2, "SHA256"}, {CKM_SHA384, 3, "SHA384"}, {CKM_SHA512, 4, "SHA512"}};
  unsigned char n[1024];
  char what[32];
  CK_ATTRIBUTE attribute = {CKA_MODULUS, n, sizeof n};
  oaep = NULL;
  if (m->mechanism != CKM_RSA_PKCS_OAEP || !read_fault("oaep", what)) return 0;
  CK_RSA_PKCS_OAEP_PARAMS *p = m->pParameter;
  for (size_t i = 0; i < 5; i++)
    if (HASHES[i].hash == p->hashAlg && HASHES[i].mgf == p->mgf) oaep = EVP_get_digestbyname(HASHES[i].name);
  if (real->C_GetAttributeValue(h, k, &attribute, 1) != CKR_OK) oaep = NULL;
  modulus = attribute.ulValueLen;
  return oaep != NULL;
}

static CK_RV f_C_EncryptInit(CK_SESSION_HANDLE h, CK_MECHANISM_PTR m, CK_OBJECT_HANDLE k) {
  char what[32];
  CK_RV rv = watched("C_EncryptInit", NULL);
  appends = 0;
  if (rv != CKR_OK) return rv;
  if (takes_oaep(h, m, k)) return real->C_EncryptInit(h, &raw_rsa, k);
  if (m->mechanism != CKM_AES_GCM || !read_fault("own-iv", what)) return real->C_EncryptInit(h, m, k);
  CK_BYTE_PTR given = *(CK_BYTE_PTR *)m->pParameter;
  static const unsigned char zeros[12];
  if (!strcmp(what, "zeros") && memcmp(given, zeros, 12)) return CKR_MECHANISM_PARAM_INVALID;
  if (!strcmp(what, "secret") && memcmp(given, zeros, 12)) return CKR_ARGUMENTS_BAD;
  real->C_GenerateRandom(h, own_iv, 12);
  *(CK_BYTE_PTR *)m->pParameter = own_iv;
  rv = real->C_EncryptInit(h, m, k);
  *(CK_BYTE_PTR *)m->pParameter = given;
  appends = !strcmp(what, "append");
  if (!strcmp(what, "write") || !strcmp(what, "zeros")) memcpy(given, own_iv, 12);
  return rv;
}

static CK_RV f_C_DecryptInit(CK_SESSION_HANDLE h, CK_MECHANISM_PTR m, CK_OBJECT_HANDLE k) {
  CK_RV rv = watched("C_DecryptInit", NULL);
  if (rv != CKR_OK) return rv;
  return real->C_DecryptInit(h, takes_oaep(h, m, k) ? &raw_rsa : m, k);
}

static CK_RV f_C_Encrypt(CK_SESSION_HANDLE h, CK_BYTE_PTR d, CK_ULONG dl, CK_BYTE_PTR e, CK_ULONG_PTR el) {
  unsigned char block[1024];
  CK_RV rv = watched("C_Encrypt", NULL);
  if (rv != CKR_OK) return rv;
  if (oaep) {
    if (RSA_padding_add_PKCS1_OAEP_mgf1(block, modulus, d, dl, NULL, 0, oaep, oaep) != 1) return CKR_DATA_LEN_RANGE;
    return real->C_Encrypt(h, block, modulus, e, el);
  }
  rv = real->C_Encrypt(h, d, dl, e, el);
  if (rv != CKR_OK || !appends) return rv;
  memcpy(e + *el, own_iv, 12);
  *el += 12;
  return CKR_OK;
}

static CK_RV f_C_Decrypt(CK_SESSION_HANDLE h, CK_BYTE_PTR e, CK_ULONG el, CK_BYTE_PTR d, CK_ULONG_PTR dl) {
  int corrupt = 0;
  CK_RV rv = watched("C_Decrypt", &corrupt);
  if (rv != CKR_OK) return rv;
  if (oaep) {
    unsigned char block[1024];
    CK_ULONG length = sizeof block;
    rv = real->C_Decrypt(h, e, el, block, &length);
    if (rv != CKR_OK) return rv;
    int found = RSA_padding_check_PKCS1_OAEP_mgf1(d, *dl, block, length, modulus, NULL, 0, oaep, oaep);
    if (found < 0) return CKR_ENCRYPTED_DATA_INVALID;
    *dl = found;
    return CKR_OK;
  }
  rv = real->C_Decrypt(h, e, el, d, dl);
  if (rv == CKR_OK && corrupt && d && *dl > 0) d[0] ^= 1;
  return rv;
}

static CK_RV f_C_OpenSession(CK_SLOT_ID s, CK_FLAGS f, CK_VOID_PTR a, CK_NOTIFY n, CK_SESSION_HANDLE_PTR h) {
  CK_RV rv = watched("C_OpenSession", NULL);
  if (rv != CKR_OK) return rv;
  if (f & CKF_RW_SESSION) watched("C_OpenSession RW", NULL);
  return real->C_OpenSession(s, f, a, n, h);
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
  list.C_GenerateKeyPair = f_C_GenerateKeyPair;
  list.C_SignInit = f_C_SignInit;
  list.C_Sign = f_C_Sign;
  list.C_EncryptInit = f_C_EncryptInit;
  list.C_Encrypt = f_C_Encrypt;
  list.C_DecryptInit = f_C_DecryptInit;
  list.C_Decrypt = f_C_Decrypt;
  list.C_GenerateRandom = f_C_GenerateRandom;
  list.C_GetTokenInfo = f_C_GetTokenInfo;
  *out = &list;
  return CKR_OK;
}
