/*-------------------------------------------------------------------------
 *
 * test/faults/fault.c
 *	  Make the nth call that chat_rbac's library makes into the server fail.
 *
 * A loadable library for test/t/021_kill.pl and 022_injection.pl, and for no
 * other use.  In the backend that arms it, it puts functions of its own into the
 * table through which the dynamic linker takes a library's calls to others.  So
 * what is tested is the library as it was installed, and each backend that has
 * not armed it stays as it was.
 *
 * Points are the calls of chat_rbac.so to those functions of the server that may
 * raise an error (they allocate, look up, lock, run queries), and by the level
 * "malloc" those of the server and of libcrypto to the C library's allocator.  At
 * the nth of them, once, happens what was asked for:
 *
 *	error		out of memory is raised; for malloc, it returns NULL
 *	cancel		the backend is sent SIGINT, and cancels where it next looks
 *	terminate	SIGTERM, likewise
 *	kill		SIGKILL: it is gone at once
 *
 *-------------------------------------------------------------------------
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "postgres.h"

#include <dlfcn.h>
#include <link.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fmgr.h"
#include "utils/builtins.h"

PG_MODULE_MAGIC;

PG_FUNCTION_INFO_V1(fault_arm);
PG_FUNCTION_INFO_V1(fault_disarm);

/* What may raise an error, of all that chat_rbac.so calls; none takes floating-point numbers. */
#define POINTS(P) \
	P(AcceptInvalidationMessages) P(AllocSetContextCreateInternal) P(BeginInternalSubTransaction) \
	P(BlessTupleDesc) P(BuildIndexInfo) P(CacheInvalidateRelcache) P(CacheInvalidateRelcacheByRelid) \
	P(CommandCounterIncrement) P(CopyErrorData) P(CreateStandaloneExprContext) P(CreateTupleDescCopy) \
	P(DirectFunctionCall1Coll) P(DirectFunctionCall2Coll) P(ExecInitExpr) \
	P(FunctionCall1Coll) P(GetCatalogSnapshot) P(GetLatestSnapshot) P(GetTransactionSnapshot) \
	P(GetUserNameFromId) P(InitMaterializedSRF) P(JsonbIteratorInit) P(JsonbIteratorNext) P(JsonbToCString) \
	P(JsonbValueToJsonb) P(LockRelationOid) P(LookupFuncName) P(MemoryContextAlloc) \
	P(MemoryContextAllocExtended) P(MemoryContextAllocHuge) P(MemoryContextAllocZero) \
	P(MemoryContextAllocZeroAligned) P(MemoryContextStrdup) P(OidOutputFunctionCall) P(OutputFunctionCall) \
	P(PushActiveSnapshot) P(RangeVarGetRelidExtended) P(RegisterSnapshot) P(RelationGetIndexList) \
	P(RelationGetPartitionDesc) P(RelationGetPartitionKey) P(SPI_connect) P(SPI_cursor_fetch) \
	P(SPI_cursor_open) P(SPI_cursor_open_with_args) P(SPI_execute) P(SPI_execute_plan) P(SPI_execute_snapshot) \
	P(SPI_execute_with_args) P(SPI_getvalue) P(SPI_keepplan) \
	P(SPI_plan_get_cached_plan) P(SPI_prepare) P(SPI_prepare_cursor) P(SearchSysCache1) P(SplitGUCList) \
	P(appendBinaryStringInfo) P(appendStringInfoChar) P(appendStringInfoString) P(bms_add_member) \
	P(check_enable_rls) P(construct_array) P(construct_empty_array) P(convert_tuples_by_name) P(cstring_to_text) \
	P(cstring_to_text_with_len) P(datumCopy) P(deconstruct_array) P(enlargeStringInfo) P(escape_json) \
	P(estimate_expression_value) P(expression_planner) P(find_all_inheritors) P(fmgr_info_cxt) P(get_attname) \
	P(get_namespace_name) P(get_namespace_oid) P(get_rel_name) P(get_relname_relid) P(has_subclass) P(hash_create) \
	P(heap_copytuple) P(heap_form_tuple) P(heap_insert) P(heap_modify_tuple_by_cols) P(index_beginscan) \
	P(index_getnext_slot) P(index_insert) P(index_open) P(initStringInfo) P(jsonb_in) P(lappend) \
	P(lookup_rowtype_tupdesc) P(lookup_type_cache) P(makeConst) P(make_op) P(make_parsestate) P(nextval_internal) \
	P(palloc) P(palloc0) P(pg_class_aclcheck) P(pg_cryptohash_create) P(pg_detoast_datum) \
	P(pg_detoast_datum_copy) P(pg_detoast_datum_packed) P(pnstrdup) P(psprintf) P(pstrdup) P(pushJsonbValue) \
	P(quote_identifier) P(quote_qualified_identifier) P(relation_open) P(repalloc) P(repalloc_huge) \
	P(scalararraysel) P(set_config_option) P(standard_ExecutorEnd) P(standard_ExecutorRun) \
	P(standard_ExecutorStart) P(systable_beginscan) P(systable_getnext) P(table_open) P(table_slot_create) \
	P(text_to_cstring) P(try_relation_open) P(tuplestore_puttuple) P(tuplestore_putvalues)

/* What returns NULL where it fails: libcrypto's, to chat_rbac.so, and the C library's. */
#define MAKERS(P) \
	P(BIO_new_mem_buf) P(CRYPTO_malloc) P(CRYPTO_zalloc) P(EVP_MD_CTX_new) P(EVP_PKEY_CTX_new) P(HMAC) \
	P(PEM_read_bio) P(X509_PUBKEY_get) P(d2i_X509_PUBKEY)

#define ALLOCATORS(P) P(malloc) P(calloc) P(realloc)

typedef enum Deed
{
	NOTHING, RAISE, CANCEL, TERMINATE, KILL
}			Deed;

static Deed deed = NOTHING;
static int64 left = 0;			/* points until it happens */
static int64 passed = 0;		/* points since it was armed */
static const char *at = NULL;	/* where it happened */
static char only[NAMEDATALEN] = ""; /* points of this name; empty: all */

/* What is to happen here; each happens once. */
static Deed
pass(const char *name)
{
	Deed		now = deed;

	if (now == NOTHING || (*only != '\0' && strcmp(only, name) != 0))
		return NOTHING;
	passed++;
	if (--left != 0)
		return NOTHING;
	deed = NOTHING;
	at = name;
	switch (now)
	{
		case CANCEL:
			raise(SIGINT);
			break;
		case TERMINATE:
			raise(SIGTERM);
			break;
		case KILL:
			kill(getpid(), SIGKILL);
			break;
		default:
			return now;
	}
	return NOTHING;
}

/*
 * A call is handed on with as many words of arguments as any of these functions
 * takes.  Where it takes fewer, the rest are whatever was there, and nobody looks
 * at them.  On machines of 32 bits a result may be of two words.
 */
typedef uintptr_t Word;
typedef uint64 Result;
typedef Result(*Function) (Word, Word, Word, Word, Word, Word, Word, Word, Word, Word, Word, Word);

#define PARAMETERS \
	Word a, Word b, Word c, Word d, Word e, Word f, Word g, Word h, Word i, Word j, Word k, Word l
#define ARGUMENTS a, b, c, d, e, f, g, h, i, j, k, l

static void
raise_here(const char *name)
{
	ereport(ERROR,
			(errcode(ERRCODE_OUT_OF_MEMORY),
			 errmsg("out of memory"),
			 errdetail("It is as if, in %s.", name)));
}

#define DEFINE_POINT(name) \
static Function real_##name; \
static Result \
point_##name(PARAMETERS) \
{ \
	if (pass(#name) == RAISE) \
		raise_here(#name); \
	return real_##name(ARGUMENTS); \
}

#define DEFINE_MAKER(name) \
static Function real_##name; \
static Result \
point_##name(PARAMETERS) \
{ \
	return pass(#name) == RAISE ? 0 : real_##name(ARGUMENTS); \
}

POINTS(DEFINE_POINT)
MAKERS(DEFINE_MAKER)
ALLOCATORS(DEFINE_MAKER)

typedef struct Point
{
	const char *name;
	Function	point;
	Function   *real;
} Point;

#define ENTRY(name) {#name, point_##name, &real_##name},

static const Point points[] = {POINTS(ENTRY) MAKERS(ENTRY) {NULL, NULL, NULL}};
static const Point allocators[] = {ALLOCATORS(ENTRY) {NULL, NULL, NULL}};

/* ---- putting them in ---- */

#if defined(__x86_64__) || defined(__aarch64__)
typedef ElfW(Rela) Relocation;
#define SYMBOL(info) ELF64_R_SYM(info)
#define TABLE DT_RELA
#define TABLE_SIZE DT_RELASZ
#else
typedef ElfW(Rel) Relocation;
#define SYMBOL(info) ELF32_R_SYM(info)
#define TABLE DT_REL
#define TABLE_SIZE DT_RELSZ
#endif

typedef struct Search
{
	const char *file;			/* "": the program */
	const Point *points;
	int			found;
} Search;

static void
replace(Word *slot, const Point *point)
{
	Word		page = (Word) sysconf(_SC_PAGESIZE);
	void	   *start = (void *) ((Word) slot & ~(page - 1));

	if (*slot == (Word) point->point)
		return;

	/*
	 * the table is read-only once all is bound; it may go over the edge of a
	 * page, a slot may not
	 */
	if (mprotect(start, page, PROT_READ | PROT_WRITE) != 0)
		elog(ERROR, "could not make the table of calls writable: %m");
	/* the slot may not be bound yet */
	*point->real = (Function) dlsym(RTLD_DEFAULT, point->name);
	if (*point->real == NULL)
		elog(ERROR, "could not find function \"%s\"", point->name);
	*slot = (Word) point->point;
}

static int
search_object(struct dl_phdr_info *info, size_t size, void *arg)
{
	Search	   *search = arg;
	const char *file = strrchr(info->dlpi_name, '/');
	const		ElfW(Dyn) * dynamic = NULL;
	const		ElfW(Sym) * symbols = NULL;
	const char *names = NULL;
	const		Relocation *tables[2] = {NULL, NULL};
	size_t		sizes[2] = {0, 0};

	file = file != NULL ? file + 1 : info->dlpi_name;
	if (strncmp(file, search->file, strlen(search->file)) != 0 || (*search->file == '\0' && *file != '\0'))
		return 0;
	for (int i = 0; i < info->dlpi_phnum; i++)
	{
		if (info->dlpi_phdr[i].p_type == PT_DYNAMIC)
			dynamic = (const ElfW(Dyn) *) (info->dlpi_addr + info->dlpi_phdr[i].p_vaddr);
	}
	for (; dynamic != NULL && dynamic->d_tag != DT_NULL; dynamic++)
	{
		switch (dynamic->d_tag)
		{
			case DT_SYMTAB:
				symbols = (const ElfW(Sym) *) dynamic->d_un.d_ptr;
				break;
			case DT_STRTAB:
				names = (const char *) dynamic->d_un.d_ptr;
				break;
			case DT_JMPREL:
				tables[0] = (const Relocation *) dynamic->d_un.d_ptr;
				break;
			case DT_PLTRELSZ:
				sizes[0] = dynamic->d_un.d_val;
				break;
			case TABLE:
				tables[1] = (const Relocation *) dynamic->d_un.d_ptr;
				break;
			case TABLE_SIZE:
				sizes[1] = dynamic->d_un.d_val;
				break;
		}
	}
	for (int t = 0; t < 2; t++)
	{
		for (size_t r = 0; tables[t] != NULL && r < sizes[t] / sizeof(Relocation); r++)
		{
			const char *name = names + symbols[SYMBOL(tables[t][r].r_info)].st_name;
			Word	   *slot = (Word *) (info->dlpi_addr + tables[t][r].r_offset);

			for (const Point *point = search->points; point->name != NULL; point++)
			{
				if (strcmp(name, point->name) == 0)
				{
					replace(slot, point);
					search->found++;
				}
			}
		}
	}
	return 0;
}

/* The calls of a library; how many tables have one. */
static int
take_over(const char *file, const Point *taken)
{
	Search		search = {file, taken, 0};

	dl_iterate_phdr(search_object, &search);
	return search.found;
}

/*
 * fault_arm(deed text, level text, nth bigint) -> integer
 *		From now on count; at the nth point do it.  level: "calls", "malloc", or the name
 *		of a function whose calls alone count.  How many functions are watched.
 */
Datum
fault_arm(PG_FUNCTION_ARGS)
{
	static const char *const deeds[] = {"nothing", "error", "cancel", "terminate", "kill"};
	char	   *wanted = text_to_cstring(PG_GETARG_TEXT_PP(0));
	char	   *level = text_to_cstring(PG_GETARG_TEXT_PP(1));
	int			found;

	snprintf(only, sizeof(only), "%s", strcmp(level, "malloc") == 0 || strcmp(level, "calls") == 0 ? "" : level);
	found = strcmp(level, "malloc") == 0 ? take_over("", allocators) + take_over("libcrypto.so", allocators) : take_over("chat_rbac.so", points);
	if (found == 0)
		elog(ERROR, "there is nothing to watch");
	passed = 0;
	at = NULL;
	left = PG_GETARG_INT64(2);
	deed = NOTHING;
	for (int i = 0; i < lengthof(deeds); i++)
	{
		if (strcmp(wanted, deeds[i]) == 0)
			deed = (Deed) i;
	}
	PG_RETURN_INT32(found);
}

/*
 * fault_disarm() -> text
 *		Where it happened, or NULL, and then it will not; with how many points were passed.
 */
Datum
fault_disarm(PG_FUNCTION_ARGS)
{
	deed = NOTHING;
	PG_RETURN_TEXT_P(cstring_to_text(psprintf("%s " INT64_FORMAT, at != NULL ? at : "-", passed)));
}
