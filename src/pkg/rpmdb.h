/* The parts of the program muster-rpmdb. No part of pkg's library. */
#ifndef MUSTER_PKG_RPMDB_H
#define MUSTER_PKG_RPMDB_H

#include <rpm/rpmts.h>

/* Answers questions for files until standard input ends. 0, or 1: it broke off. */
int rpmdb_answer_files(rpmts ts);

#endif
