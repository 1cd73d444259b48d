// What a program needs that trains, exports and asks models: docs/library.md. The other installed headers,
// operators and texts among them, are included by name.
#pragma once

#include "mgd/core/error.h"
#include "mgd/data/own_pictures.h"
#include "mgd/eval/classify.h"
#include "mgd/format/config.h"
#include "mgd/loss/entry.h"
#include "mgd/model/block.h"
#include "mgd/task/host.h"
#include "mgd/task/open_model.h"
#include "mgd/task/picture_rules.h"
#include "mgd/train/finish.h"
#include "mgd/train/run_folder.h"
#include "mgd/train/trainer.h"
