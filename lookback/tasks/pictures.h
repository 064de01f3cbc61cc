// Private to tasks: which pictures a recipe names and what is said of each, and their features.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lookback/data/table.h"
#include "lookback/io/model_folder.h"
#include "lookback/picture/cnn_features.h"
#include "lookback/tasks/data_options.h"

namespace lookback::tasks {

struct CaptionedPicture {
  std::string path;  // as it can be opened
  StringList captions;
  std::string where;  // "train.tsv:17", of the first caption
};

struct PictureData {
  StringList train, valid, test;
  std::string images;
  std::string pictures = "files";
  StringList columns;
  std::string bad_lines = "skip";
  std::string damaged = "skip";
  int64_t max_length = 100;
  std::string cache;

  void fields(FieldVisitor& v) {
    v("train", train,
      "lists to learn from: a picture and a caption in each row (TSV, CSV, JSONL, plain or .gz); a picture with "
      "several "
      "captions has several rows. Pictures are JPEG or PNG, or features made elsewhere: FILE.npy, FILE.safetensors, or "
      "FILE#7 for the eighth picture of a file with many");
    v("valid", valid,
      "the same for validation; or \"10 %\": this part of the training pictures, by a hash of each name; or \"last "
      "100\": so many of them, the last by name");
    v("test", test, "lists for `evaluate` and `baseline`; training does not read them");
    v("images", images, "folder with the pictures, relative to that of the list; none: they lie beside the list");
    v("pictures", pictures,
      "files; or none: all pictures are read as one row of zeros, so that the decoder learns from captions alone what "
      "captions are like, to be gone on from with --from")
        .choices({"files", "none"});
    v("columns", columns, "which columns are the picture and the caption; numbers from 1, names or keys");
    v("bad_lines", bad_lines, "lines that are no row; skip and count them, or stop").choices({"skip", "stop"});
    v("damaged", damaged, "pictures that cannot be read; skip, name and count them, or stop").choices({"skip", "stop"});
    v("max_length", max_length, "captions of more tokens are left out of training and validation; 0 keeps all")
        .range(0, 1e9);
    v("cache", cache,
      "features are kept in files CACHE.train and CACHE.valid, by what is in the pictures and how features are made, "
      "for later runs; none: they are made each time");
  }

  // Throws ConfigError for what cannot be, before anything is read.
  void validate() const;
  bool has_test() const { return !test.empty(); }
  // Those of one part in the order of their lists. `report` counts rows. Throws ConfigError, IoError and FormatError as
  // RowReader does.
  std::vector<CaptionedPicture> part(Split split, const std::string& root, data::TableReport& report) const;
  // The same of lists that are named as data.test names its own; `key` is what messages call them.
  std::vector<CaptionedPicture> pictures_of(const StringList& lists, const std::string& key, const std::string& root,
                                            data::TableReport& report) const;
};

// How a model sees: from a picture's file to rows of features.
struct Seeing {
  picture::CnnOptions options;  // its files as they can be opened; no cnn: features made elsewhere alone
  std::shared_ptr<const picture::ImageFeatures> cnn = {};
  picture::FeatureShape shape = {};

  // Files of the network that the options name. Throws IoError, ConfigError.
  static Seeing with(const picture::CnnOptions& options);
  // f32 [views, places, width]; of features made elsewhere there is one view. Throws FormatError and IoError of a
  // picture, ConfigError of a network.
  Tensor features(const std::string& path, int64_t views = 1) const;

  // What became of one of many pictures.
  struct Seen {
    Tensor features;      // [views, places, width]
    std::string problem;  // why there are none
  };
  // The same of many, several at once: those that `cache` has, if it is a file's name, from there, and the others are
  // put there. Throws what is no picture's own fault: ConfigError of a network.
  std::vector<Seen> features_of_all(const StringList& paths, int64_t views = 1, const std::string& cache = "") const;
};

// Whether a name is that of features made elsewhere.
bool names_features(const std::string& path);

}  // namespace lookback::tasks
