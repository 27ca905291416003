// The gradient of a convolution by its kernel, for the CPU, as a function that XLA calls.
//
//   dW[i, j, c, f] = sum over images, y and x of  X[y * stride + i - top, x * stride + j - left, c] * dY[y, x, f]
//
// X has zeros outside of the image ("SAME" padding). For one tap (i, j) this is a matrix product: rows of c, columns of
// f, and a sum over all pixels of all images. A tile of a few rows and a few vectors of columns stays in registers
// while the sum goes over the pixels of a block. What makes it fast:
// - With few channels, the taps of one kernel row are one matrix product: the kw * C numbers that an output pixel sees
//   in an image line are neighbours in memory.
// - With many channels, pixels are copied to a distance that is not a power of two. Otherwise they would share a few
//   lines of the cache.
// - The side with more numbers is the side of the vectors (`swapped`).
// The sum is split into parts in a way that depends on the shapes only, and the parts are added in a fixed order. So
// the result does not depend on the number of threads.

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <cstring>
#include <memory>
#include <mutex>
#include <vector>

#include "xla/ffi/api/ffi.h"

namespace ffi = xla::ffi;

namespace {

#if defined(__AVX512F__)
constexpr int kLanes = 16, kSums = 24;  // floats of a vector register; registers for sums (of 32)
#else
constexpr int kLanes = 8, kSums = 12;  // of 16
#endif
typedef float Vector __attribute__((vector_size(kLanes * sizeof(float)), aligned(sizeof(float)), may_alias));

constexpr long kManyChannels = 64;        // from here on each tap is a matrix product of its own
constexpr long kGap = 16;                 // floats between pixels with many channels
constexpr long kPixelsOfBlock = 128;      // over which a tile sums before the next tile
constexpr long kMaxParts = 16, kPixelsOfPart = 1024;
constexpr long kFloatsOfUnit = 1 << 16;   // sums of one unit of work: they stay in the second cache

long Ceil(long a, long b) { return (a + b - 1) / b; }

// The pixels that a tile sums over: lines of equal length, the first pixel of each, the distance of neighbours.
struct Block {
  const long *rows, *columns;
  long num_lines, pixels, row_step, column_step;
};

// sums[r, :] += rows[pixel, r] * columns[pixel, :] for R rows and V vectors of columns.
template <int R, int V>
void AddTile(const float* rows, const float* columns, const Block& block, float* sums, long width) {
  Vector s[R][V];
  for (int r = 0; r < R; ++r)
    for (int v = 0; v < V; ++v) s[r][v] = *reinterpret_cast<const Vector*>(sums + r * width + v * kLanes);
  for (long line = 0; line < block.num_lines; ++line) {
    const float *row = rows + block.rows[line], *column = columns + block.columns[line];
    for (long p = 0; p < block.pixels; ++p, row += block.row_step, column += block.column_step) {
      Vector y[V];
      for (int v = 0; v < V; ++v) y[v] = *reinterpret_cast<const Vector*>(column + v * kLanes);
#pragma GCC unroll 24
      for (int r = 0; r < R; ++r) {
        Vector x = row[r] - Vector{};
#pragma GCC unroll 4
        for (int v = 0; v < V; ++v) s[r][v] += x * y[v];
      }
    }
  }
  for (int r = 0; r < R; ++r)
    for (int v = 0; v < V; ++v) *reinterpret_cast<Vector*>(sums + r * width + v * kLanes) = s[r][v];
}

using Tile = void (*)(const float*, const float*, const Block&, float*, long);

// AddTile<rows, V>, for 1 to R rows.
template <int R, int V>
Tile TileOf(long rows) {
  if constexpr (R > 1) {
    if (rows < R) return TileOf<R - 1, V>(rows);
  }
  return AddTile<R, V>;
}

Tile TileOf(long rows, int vectors) {
  if (vectors == 4) return TileOf<kSums / 4, 4>(rows);
  return vectors == 2 ? TileOf<kSums / 2, 2>(rows) : TileOf<kSums, 1>(rows);
}

struct Shape {
  long batch, height, width, channels, out_height, out_width, features, kernel_height, kernel_width, stride;
};

// How the work is laid out: all that follows from the shapes.
struct Plan {
  explicit Plan(const Shape& shape) : s(shape) {
    bool many = s.channels >= kManyChannels;
    taps_of_row = many ? s.kernel_width : 1;
    window = many ? s.channels : s.kernel_width * s.channels;
    pixel = s.channels + (many ? kGap : 0);
    lines = (s.out_height - 1) * s.stride + s.kernel_height;
    columns_of_line = (s.out_width - 1) * s.stride + s.kernel_width;
    auto padded = [](long n) { return Ceil(n, kLanes) * kLanes; };
    swapped = s.features * padded(window) < window * padded(s.features);
    rows = swapped ? s.features : window;
    row_width = padded(swapped ? window : s.features);
    feature_step = swapped ? s.features : row_width;
    top = std::max(0L, lines - s.height) / 2;
    left = std::max(0L, columns_of_line - s.width) / 2;
    long pixels = s.out_height * s.out_width;
    images = std::min(s.batch, std::max(1L, kPixelsOfBlock / pixels));
    parts = std::clamp(s.batch * pixels / kPixelsOfPart, 1L, std::min(kMaxParts, s.batch));
    groups = std::min(Ceil(taps() * rows * row_width, kFloatsOfUnit), rows);
  }
  long taps() const { return s.kernel_height * taps_of_row; }
  long num_sums() const { return taps() * rows * row_width; }

  Shape s;
  bool swapped;             // whether the features are the rows and the channels the vectors
  long taps_of_row;         // matrix products for one row of the kernel
  long window;              // neighbouring numbers of an image line that one product uses for a pixel
  long pixel;               // floats from one pixel of a copied image to the next one
  long lines, columns_of_line;  // of a copied image
  long rows, row_width;     // of the sums of one tap; the width is a whole number of vectors
  long feature_step;        // floats from one pixel of dY to the next one
  long top, left;           // padding
  long images;              // that are copied at a time
  long parts, groups;       // the sum is split into parts of the batch, its rows into groups
};

// Copies images with their padding.
void CopyImages(const Plan& plan, const float* x, long count, float* out) {
  const Shape& s = plan.s;
  std::memset(out, 0, count * plan.lines * plan.columns_of_line * plan.pixel * sizeof(float));
  long height = std::min(s.height, plan.lines - plan.top), width = std::min(s.width, plan.columns_of_line - plan.left);
  for (long image = 0; image < count; ++image)
    for (long y = 0; y < height; ++y) {
      const float* from = x + (image * s.height + y) * s.width * s.channels;
      float* to = out + ((image * plan.lines + y + plan.top) * plan.columns_of_line + plan.left) * plan.pixel;
      if (plan.pixel == s.channels) {
        std::memcpy(to, from, width * s.channels * sizeof(float));
        continue;
      }
      for (long p = 0; p < width; ++p)
        std::memcpy(to + p * plan.pixel, from + p * s.channels, s.channels * sizeof(float));
    }
}

// Adds the rows from `first_row` on of all taps, summed over one block.
void AddRows(const Plan& plan, const float* x, const float* dy, const Block& block, long first_row, long last_row,
             float* sums) {
  long width = plan.row_width;
  for (long tap = 0; tap < plan.taps(); ++tap, sums += plan.rows * width) {
    long offset = (tap / plan.taps_of_row * plan.columns_of_line + tap % plan.taps_of_row) * plan.pixel;
    const float *rows = plan.swapped ? dy : x + offset, *columns = plan.swapped ? x + offset : dy;
    for (long column = 0; column < width;) {
      long left = (width - column) / kLanes;
      int vectors = left >= 4 && plan.rows <= kSums / 4 ? 4 : left >= 2 ? 2 : 1;
      long tiles = Ceil(last_row - first_row, kSums / vectors);
      for (long row = first_row; tiles; --tiles) {  // tiles of equal height, as far as possible
        long height = Ceil(last_row - row, tiles);
        TileOf(height, vectors)(rows + row, columns + column, block, sums + row * width + column, width);
        row += height;
      }
      column += vectors * kLanes;
    }
  }
}

// Adds one group of rows, summed over the images from `first` to `last`.
void AddImages(const Plan& plan, const float* x, const float* dy, long first, long last, long group, float* sums) {
  const Shape& s = plan.s;
  long out_pixels = s.out_height * s.out_width, image = plan.lines * plan.columns_of_line * plan.pixel;
  // A vector may read beyond the last pixel.
  std::vector<float> copied(plan.images * image + kLanes * 4), padded(plan.images * out_pixels * plan.feature_step);
  std::vector<long> x_lines(plan.images * s.out_height), dy_lines(x_lines.size());
  for (long line = 0; line < (long)x_lines.size(); ++line) {
    x_lines[line] = line / s.out_height * image + line % s.out_height * s.stride * plan.columns_of_line * plan.pixel;
    dy_lines[line] = line * s.out_width * plan.feature_step;
  }
  const long *rows = plan.swapped ? dy_lines.data() : x_lines.data();
  const long *columns = plan.swapped ? x_lines.data() : dy_lines.data();
  long x_step = s.stride * plan.pixel, row_step = plan.swapped ? plan.feature_step : x_step;
  long column_step = plan.swapped ? x_step : plan.feature_step;
  for (; first < last; first += plan.images) {
    long count = std::min(plan.images, last - first), num_lines = count * s.out_height;
    CopyImages(plan, x + first * s.height * s.width * s.channels, count, copied.data());
    const float* gradient = dy + first * out_pixels * s.features;
    if (plan.feature_step != s.features) {
      for (long p = 0; p < count * out_pixels; ++p)
        std::memcpy(padded.data() + p * plan.feature_step, gradient + p * s.features, s.features * sizeof(float));
      gradient = padded.data();
    }
    long most = std::max(1L, kPixelsOfBlock / s.out_width);
    for (long line = 0; line < num_lines; line += most) {
      Block block{rows + line, columns + line, std::min(most, num_lines - line), s.out_width, row_step, column_step};
      AddRows(plan, copied.data(), gradient, block, plan.rows * group / plan.groups,
              plan.rows * (group + 1) / plan.groups, sums);
    }
  }
}

// The units of work of one call. Any number of threads may run them.
class Work {
 public:
  // seeds: the number of independent gradients, one after the other in memory.
  Work(const Shape& shape, long seeds, const float* x, const float* dy)
      : plan(shape), x_(x), dy_(dy), units_(seeds * plan.parts * plan.groups), sums_(seeds * plan.parts * plan.num_sums()) {}

  void Run() {
    const Shape& s = plan.s;
    for (long unit; (unit = next_++) < units_;) {
      long group = unit % plan.groups, part = unit / plan.groups, seed = part / plan.parts, share = part % plan.parts;
      AddImages(plan, x_ + seed * s.batch * s.height * s.width * s.channels,
                dy_ + seed * s.batch * s.out_height * s.out_width * s.features, s.batch * share / plan.parts,
                s.batch * (share + 1) / plan.parts, group, sums_.data() + part * plan.num_sums());
      std::lock_guard<std::mutex> lock(mutex_);
      if (++done_ == units_) all_done_.notify_all();
    }
  }

  void Wait() {
    std::unique_lock<std::mutex> lock(mutex_);
    all_done_.wait(lock, [this] { return done_ == units_; });
  }

  // dW [kernel_height, kernel_width, channels, features] of one seed: the sum of its parts.
  void Write(long seed, float* dw) {
    float* sums = sums_.data() + seed * plan.parts * plan.num_sums();
    for (long part = 1; part < plan.parts; ++part)
      for (long i = 0; i < plan.num_sums(); ++i) sums[i] += sums[part * plan.num_sums() + i];
    long row_step = plan.swapped ? 1 : plan.row_width, column_step = plan.swapped ? plan.row_width : 1;
    for (long tap = 0; tap < plan.taps(); ++tap)
      for (long c = 0; c < plan.window; ++c)
        for (long f = 0; f < plan.s.features; ++f)
          *dw++ = sums[tap * plan.rows * plan.row_width + c * row_step + f * column_step];
  }

  const Plan plan;
  long units() const { return units_; }

 private:
  const float *x_, *dy_;
  const long units_;
  std::vector<float> sums_;
  std::atomic<long> next_{0};
  std::mutex mutex_;
  std::condition_variable all_done_;
  long done_ = 0;
};

// x [..., B, H, W, C], dy [..., B, H', W', F] -> dw [..., kh, kw, C, F]
ffi::Error WeightGradient(ffi::ThreadPool pool, ffi::Buffer<ffi::F32> x, ffi::Buffer<ffi::F32> dy, int64_t stride,
                          ffi::ResultBuffer<ffi::F32> dw) {
  auto last = [](auto dims, size_t i) { return (long)dims[dims.size() - 4 + i]; };
  auto xs = x.dimensions(), ys = dy.dimensions(), ws = dw->dimensions();
  if (xs.size() < 4 || ys.size() != xs.size() || ws.size() != xs.size() || stride < 1)
    return ffi::Error::InvalidArgument("the weight gradient needs images, gradients and kernels of at least 4 axes");
  Shape s{last(xs, 0), last(xs, 1), last(xs, 2), last(xs, 3), last(ys, 1), last(ys, 2), last(ys, 3),
          last(ws, 0), last(ws, 1), (long)stride};
  if (last(ys, 0) != s.batch || last(ws, 2) != s.channels || last(ws, 3) != s.features ||
      s.out_height != Ceil(s.height, s.stride) || s.out_width != Ceil(s.width, s.stride))
    return ffi::Error::InvalidArgument("the shapes are not those of a convolution with SAME padding");
  long kernel_size = s.kernel_height * s.kernel_width * s.channels * s.features;
  if (!kernel_size || !x.element_count()) {
    std::fill_n(dw->typed_data(), dw->element_count(), 0.0f);
    return ffi::Error::Success();
  }
  long seeds = dw->element_count() / kernel_size;
  auto work = std::make_shared<Work>(s, seeds, x.typed_data(), dy.typed_data());
  // This thread works, too. A helper that starts too late finds no unit left and touches no buffer.
  for (long helper = 1; helper < std::min<long>(pool.num_threads(), work->units()); ++helper)
    pool.Schedule([work] { work->Run(); });
  work->Run();
  work->Wait();
  for (long seed = 0; seed < seeds; ++seed) work->Write(seed, dw->typed_data() + seed * kernel_size);
  return ffi::Error::Success();
}

}  // namespace

XLA_FFI_DEFINE_HANDLER_SYMBOL(gan_jax_weight_gradient, WeightGradient,
                              ffi::Ffi::Bind()
                                  .Ctx<ffi::ThreadPool>()
                                  .Arg<ffi::Buffer<ffi::F32>>()
                                  .Arg<ffi::Buffer<ffi::F32>>()
                                  .Attr<int64_t>("stride")
                                  .Ret<ffi::Buffer<ffi::F32>>());

// The version of jaxlib whose headers this was built with.
extern "C" const char* gan_jax_jaxlib = GAN_JAX_JAXLIB;
